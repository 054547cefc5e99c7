//! The broker's configuration: UPDATE_BROKER_CONFIG (25), GET_BROKER_CONFIG (26).
//!
//! Both carry a Java properties text. A change names keys of an allow-list, holds at once and for all starts to
//! come, or is refused as a whole: NO_PERMISSION for what cannot change while the broker runs (RocketMQ: its black
//! list), INVALID_PARAMETER for what is no value. RocketMQ passes over unknown keys and bad values in silence.
//! Source: RocketMQ 5.3.3 `broker/processor/AdminBrokerProcessor.java`, `common/MixAll.java`.

use bytes::Bytes;
use gantry_protocols::remoting::bodies::{self, topic::DataVersion};
use gantry_protocols::remoting::headers::CustomHeader;
use gantry_protocols::remoting::headers::broker::BrokerConfigResponse;
use gantry_protocols::remoting::{RequestCode, ResponseCode};

use super::call::{Answer, Call, Refusal};
use super::{Lane, Route};
use crate::broker::config::ConfigChangeError;
use crate::requests::properties;

pub(super) const ROUTES: &[Route] = &[
    Route::new(RequestCode::UPDATE_BROKER_CONFIG, Lane::Admin, update),
    Route::new(RequestCode::GET_BROKER_CONFIG, Lane::Admin, show),
];

fn update(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let wanted = properties(&call.body)?;
    let changed = call.broker().change_config(&wanted).map_err(|error| refusal(&error))?;
    call.success_when(changed)
}

fn show(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let (entries, version) = call.broker().config_entries();
    let lines: Vec<_> = entries.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
    let version = DataVersion {
        counter: version.counter,
        state_version: version.state_version,
        timestamp: version.timestamp.0,
    };
    let version = bodies::encode(&version)?;
    let header = BrokerConfigResponse { version: String::from_utf8_lossy(&version) };
    let body = Bytes::from(lines.concat());
    call.reply.write(ResponseCode::SUCCESS, None, &mut vec![body], |ext| header.write(ext));
    Ok(Answer::Done)
}

fn refusal(error: &ConfigChangeError) -> Refusal {
    let code = match error {
        ConfigChangeError::Fixed { .. } => ResponseCode::NO_PERMISSION,
        ConfigChangeError::Unknown(_) | ConfigChangeError::Value(_) => ResponseCode::INVALID_PARAMETER,
    };
    Refusal::new(code, error.to_string())
}
