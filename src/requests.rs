//! What the two remoting ports share: a table of request codes, and how a request is refused.
//!
//! A row names the code, the lane and the function; the broker (`remoting`) and the name server (`namesrv`) each
//! have their own lanes, calls and rows. Not here: how an answer is written.

use gantry_protocols::remoting::bodies::BodyError;
use gantry_protocols::remoting::headers::HeaderError;
use gantry_protocols::remoting::{RequestCode, ResponseCode};
use java_properties::{LineContent, PropertiesIter};

/// One request code: in which lane, by which function.
pub(crate) struct Route<Lane, Run> {
    /// The code.
    pub(crate) code: RequestCode,
    /// Admission lane.
    pub(crate) lane: Lane,
    /// Answers it.
    pub(crate) run: Run,
}

impl<Lane, Run> Route<Lane, Run> {
    pub(crate) const fn new(code: RequestCode, lane: Lane, run: Run) -> Self {
        Self { code, lane, run }
    }
}

/// Every row of a port, ascending by code.
pub(crate) struct Table<Lane: 'static, Run: 'static>(Vec<&'static Route<Lane, Run>>);

impl<Lane: Copy, Run: Copy> Table<Lane, Run> {
    /// The rows of all families.
    pub(crate) fn new(families: &[&'static [Route<Lane, Run>]]) -> Self {
        let mut rows: Vec<_> = families.iter().copied().flatten().collect();
        rows.sort_unstable_by_key(|route| route.code);
        Self(rows)
    }

    /// The place of a code among the rows and the function that answers it; `None` when the port does not serve it.
    pub(crate) fn find(&self, code: RequestCode) -> Option<(usize, Run)> {
        let at = self.0.binary_search_by_key(&code, |route| route.code).ok()?;
        self.0.get(at).map(|route| (at, route.run))
    }

    /// What is served, ascending by code, each with its lane.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (RequestCode, Lane)> {
        self.0.iter().map(|route| (route.code, route.lane))
    }
}

/// A refusal: the code a client acts on and the remark a person reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: ResponseCode,
    pub(crate) remark: String,
}

impl Refusal {
    pub(crate) fn new(code: ResponseCode, remark: impl Into<String>) -> Self {
        Self { code, remark: remark.into() }
    }

    /// The answer to a code that no row has, named where the protocol names it.
    pub(crate) fn unsupported(code: RequestCode) -> Self {
        let name = code.name().map(|name| format!(" ({name})")).unwrap_or_default();
        let remark = format!(" request type {} not supported{name}", code.0);
        Self::new(ResponseCode::REQUEST_CODE_NOT_SUPPORTED, remark)
    }
}

impl From<HeaderError> for Refusal {
    /// Stock answers SYSTEM_ERROR when a field is missing; the connection stays.
    fn from(error: HeaderError) -> Self {
        Self::new(ResponseCode::SYSTEM_ERROR, error.to_string())
    }
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        Self::new(ResponseCode::SYSTEM_ERROR, error.to_string())
    }
}

/// The settings of a body that is Java properties text, in the order written.
pub(crate) fn properties(body: &[u8]) -> Result<Vec<(String, String)>, Refusal> {
    let mut settings = Vec::new();
    for line in PropertiesIter::new(body) {
        let line = line.map_err(|error| {
            Refusal::new(ResponseCode::SYSTEM_ERROR, format!("the body is no properties text: {error}"))
        })?;
        if let LineContent::KVPair(key, value) = line.consume_content() {
            settings.push((key, value));
        }
    }
    Ok(settings)
}
