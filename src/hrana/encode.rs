//! Protocol values to JSON text.

use std::fmt::Display;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::base64;
use super::proto::{PipelineRequest, PipelineResponse, Value};

/// Writes the body of a pipeline request.
#[must_use]
pub fn pipeline_request(request: &PipelineRequest) -> String {
    json(request)
}

/// Writes the body of a pipeline's answer.
#[must_use]
pub fn pipeline_response(response: &PipelineResponse) -> String {
    json(response)
}

/// Writing to memory a value whose map keys are all names cannot fail, so there is no error to pass on.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Writes a 64-bit number as text, since a reader in JavaScript would round it.
pub(super) fn optional_as_text<S: Serializer>(number: &Option<impl Display>, serializer: S) -> Result<S::Ok, S::Error> {
    match number {
        Some(number) => serializer.collect_str(number),
        None => serializer.serialize_none(),
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Value", 2)?;
        match self {
            Self::Null => out.serialize_field("type", "null")?,
            Self::Integer(integer) => {
                out.serialize_field("type", "integer")?;
                out.serialize_field("value", &integer.to_string())?;
            }
            // The JSON writer turns what is not finite into `null`.
            Self::Float(float) => {
                out.serialize_field("type", "float")?;
                out.serialize_field("value", float)?;
            }
            Self::Text(text) => {
                out.serialize_field("type", "text")?;
                out.serialize_field("value", text)?;
            }
            Self::Blob(bytes) => {
                out.serialize_field("type", "blob")?;
                out.serialize_field("base64", &base64::encode(bytes))?;
            }
        }
        out.end()
    }
}
