//! ApiVersions (18): which keys and versions are served, computed from the table.
//!
//! The answer's header is version 0 whatever the request's, and a version that is not served is answered in
//! version 0 with error 35 and this key's own range, so that clients can step down (KIP-511).
//! Features are not published: clients then stay on transaction protocol 1.

use gantry_protocols::kafka::error_code::ErrorCode;
use gantry_protocols::kafka::messages::{
    ApiVersionsRequest, ApiVersionsResponse, api_versions_response::ApiVersion,
};
use tracing::debug;

use super::call::{Answer, Call, CallError};
use super::{Lane, Route, routes};

pub(super) const KEY: i16 = 18;
const VERSIONS: (i16, i16) = (0, 4);

pub(super) const ROUTES: &[Route] = &[Route::new(KEY, VERSIONS, Lane::Admin, api_versions)];

fn api_versions(call: &mut Call<'_>) -> Result<Answer, CallError> {
    let request: ApiVersionsRequest = call.decode()?;
    let named = call.version() >= 3;
    if named
        && !(is_software_name(&request.client_software_name)
            && is_software_name(&request.client_software_version))
    {
        return call.answer(&ApiVersionsResponse::default().with_error_code(ErrorCode::INVALID_REQUEST.0));
    }
    if named {
        let (name, version) =
            (request.client_software_name.as_str(), request.client_software_version.as_str());
        debug!(name, version, client = call.client_id, "kafka client");
    }
    let rows =
        routes().iter().map(|route| range(route.key, route.advertised_min, route.versions.1)).collect();
    call.answer(&ApiVersionsResponse::default().with_api_keys(rows))
}

/// The answer to a version of this key that is not served.
pub(super) fn unsupported(call: &mut Call<'_>) -> Result<Answer, CallError> {
    call.reply.head.version = 0;
    let response = ApiVersionsResponse::default()
        .with_error_code(ErrorCode::UNSUPPORTED_VERSION.0)
        .with_api_keys(vec![range(KEY, VERSIONS.0, VERSIONS.1)]);
    call.answer(&response)
}

fn range(key: i16, min: i16, max: i16) -> ApiVersion {
    ApiVersion::default().with_api_key(key).with_min_version(min).with_max_version(max)
}

/// `[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?`, as `ApiVersionsRequest.isValid`.
fn is_software_name(text: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    let inner = bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    edge(bytes.first()) && edge(bytes.last()) && inner
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_names_follow_the_pattern() {
        for good in ["apache-kafka-java", "4.1.0", "a"] {
            assert!(is_software_name(good), "{good}");
        }
        for bad in ["", "-a", "a.", "a b"] {
            assert!(!is_software_name(bad), "{bad}");
        }
    }
}
