//! Settings: DescribeConfigs (32), AlterConfigs (33), IncrementalAlterConfigs (44), ListConfigResources (74).
//!
//! Resources are topics and this broker; loggers, client metrics and groups have no settings here and are refused.
//! Source: Kafka 4.1 `ConfigHelper.scala`, `ConfigAdminManager.scala`, KIP-133, KIP-226, KIP-339, KIP-1142.

use std::sync::Arc;

use gantry_protocols::kafka::error_code::ErrorCode;
use gantry_protocols::kafka::messages::alter_configs_response::AlterConfigsResourceResponse as AlteredAll;
use gantry_protocols::kafka::messages::describe_configs_request::DescribeConfigsResource;
use gantry_protocols::kafka::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use gantry_protocols::kafka::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use gantry_protocols::kafka::messages::list_config_resources_response::ConfigResource;
use gantry_protocols::kafka::messages::{
    AlterConfigsRequest, AlterConfigsResponse, DescribeConfigsRequest, DescribeConfigsResponse,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, ListConfigResourcesRequest,
    ListConfigResourcesResponse, StrBytes,
};

use super::call::{Answer, Call, CallError};
use super::{Lane, Route, errors, names};
use crate::broker::alter_configs::{AlterConfigsError, Change, Others};
use crate::broker::configs::DescribedConfig;
use crate::broker::{Broker, Durability, Topic};
use crate::semantics::kafka_configs::{Alteration, ValueType};
use crate::semantics::topic_defaults::{Scope, Source};

pub(super) const ROUTES: &[Route] = &[
    Route::new(32, (1, 4), Lane::Admin, describe_configs),
    Route::new(33, (0, 2), Lane::Admin, alter_configs),
    Route::new(44, (0, 1), Lane::Admin, incremental_alter_configs),
    Route::new(74, (0, 1), Lane::Admin, list_config_resources),
];

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

/// Why a resource has no answer: code and words.
type Refusal = (ErrorCode, String);

/// What has settings.
enum Resource {
    Topic(Arc<Topic>),
    Broker(Scope),
}

impl Resource {
    fn find(broker: &Broker, kind: i8, name: &str) -> Result<Self, Refusal> {
        let node = broker.identity().node_id;
        match kind {
            TOPIC => names::existing(broker, name).map(Self::Topic),
            BROKER if name.is_empty() => Ok(Self::Broker(Scope::Cluster)),
            BROKER if name.parse() == Ok(node) => Ok(Self::Broker(Scope::Broker)),
            BROKER => {
                let words = format!("unexpected broker id {name}: this is broker {node}");
                Err((ErrorCode::INVALID_REQUEST, words))
            }
            _ => {
                let words =
                    format!("resource type {kind} has no settings here; topics (2) and brokers (4) have");
                Err((ErrorCode::INVALID_REQUEST, words))
            }
        }
    }

    fn configs(&self, broker: &Broker) -> Vec<DescribedConfig> {
        match self {
            Self::Topic(topic) => broker.topic_configs(topic),
            Self::Broker(Scope::Broker) => broker.broker_configs(),
            Self::Broker(Scope::Cluster) => broker.cluster_configs(),
        }
    }

    fn alter(
        &self,
        broker: &Broker,
        changes: &[Change<'_>],
        others: Others,
        validate_only: bool,
    ) -> Result<Durability, Refusal> {
        let altered = match self {
            Self::Topic(topic) => broker.alter_topic_configs(topic.name(), changes, others, validate_only),
            Self::Broker(scope) => broker.alter_broker_configs(*scope, changes, others, validate_only),
        };
        altered.map_err(|error: AlterConfigsError| (errors::alter_configs(&error), error.to_string()))
    }
}

fn describe_configs(call: &mut Call<'_>) -> Result<Answer, CallError> {
    let request: DescribeConfigsRequest = call.decode()?;
    let (broker, version) = (call.broker(), call.version());
    let results = request.resources.iter().map(|asked| {
        let result = DescribeConfigsResult::default()
            .with_resource_type(asked.resource_type)
            .with_resource_name(asked.resource_name.clone());
        match Resource::find(broker, asked.resource_type, &asked.resource_name) {
            Err((code, words)) => {
                result.with_error_code(code.0).with_error_message(Some(StrBytes::from_string(words)))
            }
            Ok(resource) => {
                let configs =
                    resource.configs(broker).into_iter().filter(|config| is_asked(asked, config.name));
                let entries = configs.map(|config| described(config, &request, version));
                result.with_error_message(None).with_configs(entries.collect())
            }
        }
    });
    call.answer(&DescribeConfigsResponse::default().with_results(results.collect()))
}

fn is_asked(asked: &DescribeConfigsResource, name: &str) -> bool {
    let keys = asked.configuration_keys.as_ref().filter(|keys| !keys.is_empty());
    keys.is_none_or(|keys| keys.iter().any(|key| **key == *name))
}

fn described(
    config: DescribedConfig,
    request: &DescribeConfigsRequest,
    version: i16,
) -> DescribeConfigsResourceResult {
    let mut result = DescribeConfigsResourceResult::default()
        .with_name(StrBytes::from_static_str(config.name))
        .with_value(Some(StrBytes::from_string(config.value)))
        .with_read_only(config.read_only)
        .with_config_source(source_code(config.source));
    if request.include_synonyms {
        let synonyms = config.synonyms.into_iter().map(|(name, value, source)| {
            DescribeConfigsSynonym::default()
                .with_name(StrBytes::from_static_str(name))
                .with_value(Some(StrBytes::from_string(value)))
                .with_source(source_code(source))
        });
        result.synonyms = synonyms.collect();
    }
    if version >= 3 {
        result.config_type = type_code(config.value_type);
        result.documentation = request.include_documentation.then(|| StrBytes::from_static_str(config.doc));
    }
    result
}

/// KIP-226.
pub(super) fn source_code(source: Source) -> i8 {
    match source {
        Source::Topic => 1,
        Source::Altered(Scope::Broker) => 2,
        Source::Altered(Scope::Cluster) => 3,
        Source::Configured => 4,
        Source::BuiltIn => 5,
    }
}

/// KIP-569.
fn type_code(value_type: ValueType) -> i8 {
    match value_type {
        ValueType::Bool => 1,
        ValueType::Text => 2,
        ValueType::Int => 3,
        ValueType::Long => 5,
        ValueType::Double => 6,
        ValueType::List => 7,
    }
}

/// One resource of either request that alters.
struct Asked<'a> {
    kind: i8,
    name: &'a str,
    changes: Result<Vec<Change<'a>>, Refusal>,
    others: Others,
}

fn incremental_alter_configs(call: &mut Call<'_>) -> Result<Answer, CallError> {
    let request: IncrementalAlterConfigsRequest = call.decode()?;
    let asked = request.resources.iter().map(|resource| {
        let changes = resource.configs.iter().map(|config| {
            let value = config.value.as_ref().map(StrBytes::as_str);
            alteration(&config.name, config.config_operation, value)
        });
        Asked {
            kind: resource.resource_type,
            name: &resource.resource_name,
            changes: changes.collect(),
            others: Others::Stay,
        }
    });
    let asked: Vec<_> = asked.collect();
    let (durability, refusals) = alter_all(call.broker(), &asked, request.validate_only);
    let responses = request.resources.iter().zip(refusals).map(|(resource, (code, words))| {
        AlterConfigsResourceResponse::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone())
            .with_error_code(code.0)
            .with_error_message(words)
    });
    let response = IncrementalAlterConfigsResponse::default().with_responses(responses.collect());
    call.answer_when(durability, response, |mut response, cause| {
        let done = response.responses.iter_mut().filter(|resource| resource.error_code == 0);
        done.for_each(|resource| resource.error_code = errors::durability(cause).0);
        response
    })
}

fn alter_configs(call: &mut Call<'_>) -> Result<Answer, CallError> {
    let request: AlterConfigsRequest = call.decode()?;
    let asked = request.resources.iter().map(|resource| {
        let changes = resource
            .configs
            .iter()
            .map(|config| alteration(&config.name, SET, config.value.as_ref().map(StrBytes::as_str)));
        Asked {
            kind: resource.resource_type,
            name: &resource.resource_name,
            changes: changes.collect(),
            others: Others::Reset,
        }
    });
    let asked: Vec<_> = asked.collect();
    let (durability, refusals) = alter_all(call.broker(), &asked, request.validate_only);
    let responses = request.resources.iter().zip(refusals).map(|(resource, (code, words))| {
        AlteredAll::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone())
            .with_error_code(code.0)
            .with_error_message(words)
    });
    let response = AlterConfigsResponse::default().with_responses(responses.collect());
    call.answer_when(durability, response, |mut response, cause| {
        let done = response.responses.iter_mut().filter(|resource| resource.error_code == 0);
        done.for_each(|resource| resource.error_code = errors::durability(cause).0);
        response
    })
}

const SET: i8 = 0;

fn alteration<'a>(name: &'a str, operation: i8, value: Option<&'a str>) -> Result<Change<'a>, Refusal> {
    let invalid = |words: String| (ErrorCode::INVALID_REQUEST, words);
    let value = || value.ok_or_else(|| invalid(format!("config {name} has no value")));
    let alteration = match operation {
        SET => Alteration::Set(value()?),
        1 => Alteration::Delete,
        2 => Alteration::Append(value()?),
        3 => Alteration::Subtract(value()?),
        _ => return Err(invalid(format!("operation {operation} on config {name} is not known"))),
    };
    Ok((name, alteration))
}

/// The answer to each resource; each is altered as a whole or not at all.
fn alter_all(
    broker: &Broker,
    asked: &[Asked<'_>],
    validate_only: bool,
) -> (Durability, Vec<(ErrorCode, Option<StrBytes>)>) {
    let mut durability = Durability::NONE;
    let twice = |one: &Asked<'_>| {
        asked.iter().filter(|other| (other.kind, other.name) == (one.kind, one.name)).count() > 1
    };
    let answers = asked.iter().map(|one| {
        let altered =
            if twice(one) { Err(repeated("the resource")) } else { alter(broker, one, validate_only) };
        match altered {
            Ok(done) => {
                durability = durability.and(done);
                (ErrorCode::NONE, None)
            }
            Err((code, words)) => (code, Some(StrBytes::from_string(words))),
        }
    });
    let answers = answers.collect();
    (durability, answers)
}

fn alter(broker: &Broker, asked: &Asked<'_>, validate_only: bool) -> Result<Durability, Refusal> {
    let changes = asked.changes.as_ref().map_err(Refusal::clone)?;
    if asked.kind == TOPIC && asked.name.is_empty() {
        return Err((
            ErrorCode::INVALID_REQUEST,
            "a topic is to be named; defaults are the broker's".to_owned(),
        ));
    }
    let mut known: Vec<_> = changes.iter().map(|(name, _)| *name).collect();
    known.sort_unstable();
    if known.is_sorted_by(|a, b| a < b) {
        Resource::find(broker, asked.kind, asked.name)?.alter(broker, changes, asked.others, validate_only)
    } else {
        Err(repeated("a config"))
    }
}

fn repeated(what: &str) -> Refusal {
    (ErrorCode::INVALID_REQUEST, format!("{what} is named more than once"))
}

fn list_config_resources(call: &mut Call<'_>) -> Result<Answer, CallError> {
    let request: ListConfigResourcesRequest = call.decode()?;
    let broker = call.broker();
    // Version 0 asks for client metrics, of which there are none.
    let every = call.version() >= 1 && request.resource_types.is_empty();
    let asks = |kind| every || request.resource_types.contains(&kind);
    if !request.resource_types.iter().all(|kind| matches!(kind, 2 | 4 | 8 | 16 | 32)) {
        let refused = ListConfigResourcesResponse::default();
        return call.answer(&refused.with_error_code(ErrorCode::UNSUPPORTED_VERSION.0));
    }
    let resource = |kind, name: &str| {
        let name = StrBytes::from_string(name.to_owned());
        ConfigResource::default().with_resource_type(kind).with_resource_name(name)
    };
    let mut resources = Vec::new();
    if asks(TOPIC) {
        let topics = names::all(broker);
        resources.extend(topics.iter().filter_map(|topic| Some(resource(TOPIC, topic.kafka_name()?))));
    }
    if asks(BROKER) {
        resources.push(resource(BROKER, &broker.identity().node_id.to_string()));
    }
    call.answer(&ListConfigResourcesResponse::default().with_config_resources(resources))
}
