//! Key-value configuration: PUT_KV_CONFIG (100), GET_KV_CONFIG (101), DELETE_KV_CONFIG (102),
//! GET_KVLIST_BY_NAMESPACE (219).
//!
//! Its one namespace of general use is ORDER_TOPIC_CONFIG. A change is answered once its file is written.
//! Source: RocketMQ 5.3.3 `namesrv/kvconfig/KVConfigManager.java`.

use bytes::Bytes;
use gantry_protocols::remoting::bodies::table::KvTable;
use gantry_protocols::remoting::headers::Text;
use gantry_protocols::remoting::headers::route::{
    KvConfigRequest, KvConfigResponse, KvListRequest, PutKvConfigRequest,
};
use gantry_protocols::remoting::{RequestCode, ResponseCode};

use super::call::{Answer, Call, Refusal};
use super::{Lane, Route};

pub(super) const ROUTES: &[Route] = &[
    Route::new(RequestCode::PUT_KV_CONFIG, Lane::Admin, put),
    Route::new(RequestCode::GET_KV_CONFIG, Lane::Admin, value),
    Route::new(RequestCode::DELETE_KV_CONFIG, Lane::Admin, delete),
    Route::new(RequestCode::GET_KVLIST_BY_NAMESPACE, Lane::Admin, list),
];

fn put(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: PutKvConfigRequest<'_> = call.header()?;
    let put = call.server.put_kv(&request.namespace, &request.key, &request.value);
    put.map(Answer::WhenKept).map_err(|error| Refusal::new(ResponseCode::SYSTEM_ERROR, error.to_string()))
}

fn value(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: KvConfigRequest<'_> = call.header()?;
    let value = call.server.kv_value(&request.namespace, &request.key).ok_or_else(|| {
        let remark = format!("No config item, Namespace: {} Key: {}", request.namespace, request.key);
        Refusal::new(ResponseCode::QUERY_NOT_FOUND, remark)
    })?;
    call.answer(&KvConfigResponse { value: Some(Text::Owned(value)) }, Bytes::new())
}

fn delete(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: KvConfigRequest<'_> = call.header()?;
    Ok(Answer::WhenKept(call.server.delete_kv(&request.namespace, &request.key)))
}

fn list(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: KvListRequest<'_> = call.header()?;
    let table = call.server.kv_namespace(&request.namespace).ok_or_else(|| {
        let remark = format!("No config item, Namespace: {}", request.namespace);
        Refusal::new(ResponseCode::QUERY_NOT_FOUND, remark)
    })?;
    call.answer_json(&KvTable { table })
}
