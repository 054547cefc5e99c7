//! InitProducerId (22): an id for an idempotent producer, never given twice.
//!
//! Transactional ids are refused until transactions exist; a producer that got an id for one would believe in
//! atomicity that nobody keeps. Source: Kafka 4.1 `TransactionCoordinator.handleInitProducerId`, KIP-98, KIP-360.

use gantry_protocols::kafka::error_code::ErrorCode;
use gantry_protocols::kafka::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};

use super::call::{Answer, Call, CallError};
use super::{Lane, Route, errors};

pub(super) const ROUTES: &[Route] = &[Route::new(22, (0, 5), Lane::Admin, init_producer_id)];

fn init_producer_id(call: &mut Call<'_>) -> Result<Answer, CallError> {
    let request: InitProducerIdRequest = call.decode()?;
    let refused = |error: ErrorCode| {
        InitProducerIdResponse::default()
            .with_error_code(error.0)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1)
    };
    match request.transactional_id {
        Some(id) if id.is_empty() => call.answer(&refused(ErrorCode::INVALID_REQUEST)),
        Some(_) => call.answer(&refused(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED)),
        None => {
            let Ok((id, durability)) = call.broker().allocate_producer_id() else {
                return call.answer(&refused(ErrorCode::COORDINATOR_NOT_AVAILABLE));
            };
            let response =
                InitProducerIdResponse::default().with_producer_id(ProducerId(id)).with_producer_epoch(0);
            call.answer_when(durability, response, |response, cause| {
                response
                    .with_error_code(errors::durability(cause).0)
                    .with_producer_id(ProducerId(-1))
                    .with_producer_epoch(-1)
            })
        }
    }
}
