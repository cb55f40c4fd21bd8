//! JSON text to protocol values.
//!
//! The protocol tags its unions by a `type` field that may stand anywhere. Each union is therefore read into one
//! flat struct of everything it could hold, and then judged; reading twice, or into a tree first, costs more.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
use serde_json::error::Category;

use super::base64;
use super::proto::*;

/// Longest message taken over from an error body, in bytes; a proxy may answer with a page.
pub const ERROR_MESSAGE_MAX: usize = 1_000;

/// The text is not the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// What is wrong, in words that quote nothing from the text: it may hold rows or arguments.
    pub problem: &'static str,
    /// Where: the line, from 1.
    pub line: usize,
    /// Where: the byte in that line, from 1.
    pub column: usize,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} at line {} column {}", self.problem, self.line, self.column)
    }
}

impl std::error::Error for DecodeError {}

impl From<serde_json::Error> for DecodeError {
    fn from(error: serde_json::Error) -> Self {
        let problem = match error.classify() {
            Category::Eof => "the JSON ends too early",
            Category::Data => "the JSON is not this part of the protocol",
            Category::Syntax | Category::Io => "the text is not JSON",
        };
        Self { problem, line: error.line(), column: error.column() }
    }
}

/// Reads the body of a pipeline request.
///
/// # Errors
///
/// When the text is not JSON, or not a pipeline request.
pub fn pipeline_request(text: &str) -> Result<PipelineRequest, DecodeError> {
    Ok(serde_json::from_str(text)?)
}

/// Reads the body of a pipeline's answer.
///
/// # Errors
///
/// When the text is not JSON, or not a pipeline's answer. Fields that we do not know are passed over.
pub fn pipeline_response(text: &str) -> Result<PipelineResponse, DecodeError> {
    Ok(serde_json::from_str(text)?)
}

/// Reads the body of an HTTP answer that is not a success: `{"error": …}`, `{"message": …, "code": …}`, or any text.
///
/// Never fails, and keeps at most [`ERROR_MESSAGE_MAX`] bytes of the message. An empty body gives an empty message.
#[must_use]
pub fn error_body(text: &str) -> Error {
    #[derive(serde::Deserialize)]
    struct Flat {
        error: String,
        code: Option<String>,
    }
    #[derive(serde::Deserialize)]
    struct Nested {
        error: Error,
    }
    let mut error = serde_json::from_str::<Error>(text)
        .or_else(|_| serde_json::from_str::<Nested>(text).map(|Nested { error }| error))
        .or_else(|_| {
            serde_json::from_str::<Flat>(text).map(|Flat { error, code }| Error {
                message: error,
                code,
                extended_code: None,
            })
        })
        .unwrap_or_else(|_| Error { message: text.trim().to_owned(), ..Error::default() });
    error.message.truncate(error.message.floor_char_boundary(ERROR_MESSAGE_MAX));
    error
}

#[derive(Clone, Copy, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum RequestKind {
    Execute,
    Batch,
    Sequence,
    Describe,
    StoreSql,
    CloseSql,
    GetAutocommit,
    Close,
}

#[derive(serde::Deserialize)]
struct RawStreamRequest {
    #[serde(rename = "type")]
    kind: RequestKind,
    stmt: Option<Stmt>,
    batch: Option<Batch>,
    sql: Option<String>,
    sql_id: Option<i32>,
}

impl<'de> Deserialize<'de> for StreamRequest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = RawStreamRequest::deserialize(deserializer)?;
        let request = match raw.kind {
            RequestKind::Execute => Self::Execute { stmt: required(raw.stmt)? },
            RequestKind::Batch => Self::Batch { batch: required(raw.batch)? },
            RequestKind::Sequence => Self::Sequence { sql: sql_of(raw.sql, raw.sql_id)? },
            RequestKind::Describe => Self::Describe { sql: sql_of(raw.sql, raw.sql_id)? },
            RequestKind::StoreSql => Self::StoreSql { sql_id: required(raw.sql_id)?, sql: required(raw.sql)? },
            RequestKind::CloseSql => Self::CloseSql { sql_id: required(raw.sql_id)? },
            RequestKind::GetAutocommit => Self::GetAutocommit,
            RequestKind::Close => Self::Close,
        };
        Ok(request)
    }
}

fn required<T, E: serde::de::Error>(part: Option<T>) -> Result<T, E> {
    part.ok_or_else(|| E::custom("a part is missing"))
}

fn sql_of<E: serde::de::Error>(sql: Option<String>, sql_id: Option<i32>) -> Result<Sql, E> {
    match (sql, sql_id) {
        (Some(text), None) => Ok(Sql::Text(text)),
        (None, Some(id)) => Ok(Sql::Stored(id)),
        _ => Err(E::custom("exactly one of sql and sql_id is wanted")),
    }
}

#[derive(serde::Deserialize)]
struct RawStmt {
    sql: Option<String>,
    sql_id: Option<i32>,
    #[serde(default)]
    args: Vec<Value>,
    #[serde(default)]
    named_args: Vec<NamedArg>,
    want_rows: Option<bool>,
    #[serde(default)]
    replication_index: Scalar,
}

impl<'de> Deserialize<'de> for Stmt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = RawStmt::deserialize(deserializer)?;
        Ok(Self {
            sql: sql_of(raw.sql, raw.sql_id)?,
            args: raw.args,
            named_args: raw.named_args,
            want_rows: raw.want_rows.unwrap_or(true),
            replication_index: raw.replication_index.into_unsigned()?,
        })
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Kind {
            Ok,
            Error,
            Not,
            And,
            Or,
            IsAutocommit,
        }
        #[derive(serde::Deserialize)]
        struct Raw {
            #[serde(rename = "type")]
            kind: Kind,
            step: Option<u32>,
            cond: Option<Box<Condition>>,
            conds: Option<Vec<Condition>>,
        }
        let raw = Raw::deserialize(deserializer)?;
        let condition = match raw.kind {
            Kind::Ok => Self::Ok { step: required(raw.step)? },
            Kind::Error => Self::Error { step: required(raw.step)? },
            Kind::Not => Self::Not { cond: required(raw.cond)? },
            Kind::And => Self::And { conds: required(raw.conds)? },
            Kind::Or => Self::Or { conds: required(raw.conds)? },
            Kind::IsAutocommit => Self::IsAutocommit,
        };
        Ok(condition)
    }
}

impl<'de> Deserialize<'de> for StreamResult {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Kind {
            Ok,
            Error,
        }
        #[derive(serde::Deserialize)]
        struct Raw {
            #[serde(rename = "type")]
            kind: Kind,
            response: Option<StreamResponse>,
            error: Option<Error>,
        }
        let raw = Raw::deserialize(deserializer)?;
        match raw.kind {
            Kind::Ok => Ok(Self::Ok { response: required(raw.response)? }),
            Kind::Error => Ok(Self::Error { error: required(raw.error)? }),
        }
    }
}

impl<'de> Deserialize<'de> for StreamResponse {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        struct Raw {
            #[serde(rename = "type")]
            kind: RequestKind,
            result: Option<RawResult>,
            is_autocommit: Option<bool>,
        }
        let raw = Raw::deserialize(deserializer)?;
        let response = match raw.kind {
            RequestKind::Execute => Self::Execute { result: required(raw.result)?.into_stmt()? },
            RequestKind::Batch => Self::Batch { result: required(raw.result)?.into_batch()? },
            RequestKind::Describe => Self::Describe { result: required(raw.result)?.into_describe()? },
            RequestKind::GetAutocommit => Self::GetAutocommit { is_autocommit: required(raw.is_autocommit)? },
            RequestKind::Sequence => Self::Sequence,
            RequestKind::StoreSql => Self::StoreSql,
            RequestKind::CloseSql => Self::CloseSql,
            RequestKind::Close => Self::Close,
        };
        Ok(response)
    }
}

/// Everything that the result of an `execute`, a `batch` or a `describe` could hold.
#[derive(serde::Deserialize)]
struct RawResult {
    cols: Option<Vec<Col>>,
    rows: Option<Vec<Vec<Value>>>,
    #[serde(default)]
    affected_row_count: u64,
    #[serde(default)]
    last_insert_rowid: Scalar,
    #[serde(default)]
    replication_index: Scalar,
    #[serde(default)]
    rows_read: u64,
    #[serde(default)]
    rows_written: u64,
    #[serde(default)]
    query_duration_ms: f64,
    step_results: Option<Vec<Option<RawResult>>>,
    step_errors: Option<Vec<Option<Error>>>,
    params: Option<Vec<Param>>,
    is_explain: Option<bool>,
    is_readonly: Option<bool>,
}

impl RawResult {
    fn into_stmt<E: serde::de::Error>(self) -> Result<StmtResult, E> {
        Ok(StmtResult {
            cols: required(self.cols)?,
            rows: required(self.rows)?,
            affected_row_count: self.affected_row_count,
            last_insert_rowid: self.last_insert_rowid.into_signed()?,
            replication_index: self.replication_index.into_unsigned()?,
            rows_read: self.rows_read,
            rows_written: self.rows_written,
            query_duration_ms: self.query_duration_ms,
        })
    }

    fn into_batch<E: serde::de::Error>(self) -> Result<BatchResult, E> {
        let steps = required(self.step_results)?;
        Ok(BatchResult {
            step_results: steps
                .into_iter()
                .map(|step| step.map(Self::into_stmt).transpose())
                .collect::<Result<_, E>>()?,
            step_errors: required(self.step_errors)?,
            replication_index: self.replication_index.into_unsigned()?,
        })
    }

    fn into_describe<E: serde::de::Error>(self) -> Result<DescribeResult, E> {
        Ok(DescribeResult {
            params: required(self.params)?,
            cols: required(self.cols)?,
            is_explain: required(self.is_explain)?,
            is_readonly: required(self.is_readonly)?,
        })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Kind {
            Null,
            Integer,
            Float,
            Text,
            Blob,
        }
        #[derive(serde::Deserialize)]
        struct Raw<'a> {
            #[serde(rename = "type")]
            kind: Kind,
            #[serde(default)]
            value: Scalar,
            #[serde(borrow, default)]
            base64: Option<Cow<'a, str>>,
        }
        let raw = Raw::deserialize(deserializer)?;
        let value = match (raw.kind, raw.value) {
            (Kind::Null, _) => Some(Self::Null),
            (Kind::Integer, scalar) => scalar.into_signed()?.map(Self::Integer),
            (Kind::Float, Scalar::Float(float)) => Some(Self::Float(float)),
            (Kind::Float, Scalar::Signed(integer)) => Some(Self::Float(integer as f64)),
            (Kind::Float, Scalar::Unsigned(integer)) => Some(Self::Float(integer as f64)),
            (Kind::Float, Scalar::Null) => Some(Self::Float(f64::NAN)),
            (Kind::Text, Scalar::Text(text)) => Some(Self::Text(text)),
            (Kind::Blob, _) => raw.base64.and_then(|text| base64::decode(&text)).map(Self::Blob),
            (Kind::Float | Kind::Text, _) => None,
        };
        value.ok_or_else(|| D::Error::custom("a value does not fit its type"))
    }
}

/// A number or text; 64-bit numbers come as either, depending on the server and the place.
#[derive(Default)]
enum Scalar {
    #[default]
    Null,
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Text(String),
}

impl Scalar {
    fn into_signed<E: serde::de::Error>(self) -> Result<Option<i64>, E> {
        let number = match self {
            Self::Null => return Ok(None),
            Self::Signed(number) => Some(number),
            Self::Unsigned(number) => i64::try_from(number).ok(),
            Self::Text(digits) => digits.parse().ok(),
            Self::Float(_) => None,
        };
        number.map(Some).ok_or_else(|| E::custom("not a 64-bit integer"))
    }

    fn into_unsigned<E: serde::de::Error>(self) -> Result<Option<u64>, E> {
        let number = match self {
            Self::Null => return Ok(None),
            Self::Signed(number) => u64::try_from(number).ok(),
            Self::Unsigned(number) => Some(number),
            Self::Text(digits) => digits.parse().ok(),
            Self::Float(_) => None,
        };
        number.map(Some).ok_or_else(|| E::custom("not an unsigned 64-bit integer"))
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

/// Reads an unsigned 64-bit number that comes as a number or as text.
pub(super) fn optional_unsigned<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Scalar::deserialize(deserializer)?.into_unsigned()
}

struct ScalarVisitor;

impl Visitor<'_> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a number, text or null")
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Null)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar::Signed(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
        Ok(Scalar::Unsigned(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
        Ok(Scalar::Float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Scalar, E> {
        Ok(Scalar::Text(text))
    }
}
