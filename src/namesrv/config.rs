//! The name server's own configuration: UPDATE_NAMESRV_CONFIG (318), GET_NAMESRV_CONFIG (319).
//!
//! A different answer than the original's: a setting that does not exist is refused, where it is dropped in
//! silence. Source: RocketMQ 5.3.3 `namesrv/processor/DefaultRequestProcessor.java`.

use bytes::Bytes;
use gantry_protocols::remoting::{RequestCode, ResponseCode};

use super::call::{Answer, Call, Refusal};
use super::switches::SwitchError;
use super::{Lane, Route};
use crate::requests::properties;

pub(super) const ROUTES: &[Route] = &[
    Route::new(RequestCode::UPDATE_NAMESRV_CONFIG, Lane::Admin, update),
    Route::new(RequestCode::GET_NAMESRV_CONFIG, Lane::Admin, text),
];

fn update(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let settings = properties(call.body)?;
    call.server.change_config(&settings).map_err(|error| {
        let code = match error {
            SwitchError::Fixed(_) => ResponseCode::NO_PERMISSION,
            SwitchError::Unknown(_) | SwitchError::Value { .. } => ResponseCode::INVALID_PARAMETER,
        };
        Refusal::new(code, error.to_string())
    })?;
    call.success()
}

fn text(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let text = Bytes::from(call.server.config_text());
    call.answer_body(text)
}
