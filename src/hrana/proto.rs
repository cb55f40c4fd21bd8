//! What a client and a server say to each other, as plain values.
//!
//! One pipeline is one HTTP request: requests that run in order on one stream. The stream is named by its baton;
//! without one the server opens a new stream, and without a baton in the answer the stream is closed.

use serde::{Deserialize, Serialize};

use super::decode::optional_unsigned;
use super::encode::optional_as_text;

/// A version of the protocol that we speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// Without `get_autocommit` and `is_autocommit`.
    V2,
    /// With both.
    V3,
}

impl Version {
    /// The path of a pipeline, relative to the database's address, without a leading slash.
    #[must_use]
    pub const fn pipeline_path(self) -> &'static str {
        match self {
            Self::V2 => "v2/pipeline",
            Self::V3 => "v3/pipeline",
        }
    }
}

/// The body of a pipeline request.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct PipelineRequest {
    /// Names the stream to go on with; `None` opens one.
    pub baton: Option<String>,
    /// What to do, in this order; a failure does not stop those after it.
    pub requests: Vec<StreamRequest>,
}

impl PipelineRequest {
    /// One statement without arguments on a stream of its own, closed in the same round trip.
    #[must_use]
    pub fn single(sql: &str) -> Self {
        let stmt = Stmt { sql: Sql::Text(sql.to_owned()), ..Stmt::default() };
        Self { baton: None, requests: vec![StreamRequest::Execute { stmt }, StreamRequest::Close] }
    }

    /// The oldest version that understands every request in it.
    #[must_use]
    pub fn version_min(&self) -> Version {
        let needs_v3 = self.requests.iter().any(|request| match request {
            StreamRequest::GetAutocommit => true,
            StreamRequest::Batch { batch } => {
                batch.steps.iter().filter_map(|step| step.condition.as_ref()).any(Condition::needs_v3)
            }
            _ => false,
        });
        if needs_v3 { Version::V3 } else { Version::V2 }
    }
}

/// One request on a stream.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum StreamRequest {
    /// Runs one statement.
    Execute {
        /// The statement.
        stmt: Stmt,
    },
    /// Runs several statements, each under its condition.
    Batch {
        /// The statements.
        batch: Batch,
    },
    /// Runs a script; gives no rows.
    Sequence {
        /// The script.
        #[serde(flatten)]
        sql: Sql,
    },
    /// Asks about a statement without running it.
    Describe {
        /// The statement.
        #[serde(flatten)]
        sql: Sql,
    },
    /// Keeps a text on the stream, so that later requests can name it. At most 50 texts of 5,000 bytes.
    StoreSql {
        /// The number to keep it under.
        sql_id: i32,
        /// The text.
        sql: String,
    },
    /// Forgets a kept text; an unknown number is not an error.
    CloseSql {
        /// The number it was kept under.
        sql_id: i32,
    },
    /// Asks whether the stream is outside a transaction. Version 3.
    GetAutocommit,
    /// Closes the stream; must come last.
    Close,
}

/// The text of a statement, or the number of one kept on the stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Sql {
    /// The text itself.
    #[serde(rename = "sql")]
    Text(String),
    /// The number given to `store_sql`.
    #[serde(rename = "sql_id")]
    Stored(i32),
}

impl Default for Sql {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

/// A statement with its arguments.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stmt {
    /// The text.
    #[serde(flatten)]
    pub sql: Sql,
    /// Arguments by position. A server refuses them together with named ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<Value>,
    /// Arguments by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub named_args: Vec<NamedArg>,
    /// Whether rows are wanted; a server may send them anyway.
    pub want_rows: bool,
    /// A replica waits until it has seen this write. Not in the published protocol, understood by libSQL servers.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional_as_text")]
    pub replication_index: Option<u64>,
}

impl Default for Stmt {
    fn default() -> Self {
        Self { sql: Sql::default(), args: Vec::new(), named_args: Vec::new(), want_rows: true, replication_index: None }
    }
}

/// An argument by name.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct NamedArg {
    /// The name, with or without its `:`, `@` or `$`.
    pub name: String,
    /// The value.
    pub value: Value,
}

/// Statements that run in one round trip, each under a condition on earlier ones.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Batch {
    /// The statements.
    pub steps: Vec<BatchStep>,
    /// As [`Stmt::replication_index`], for the batch.
    #[serde(
        default,
        deserialize_with = "optional_unsigned",
        skip_serializing_if = "Option::is_none",
        serialize_with = "optional_as_text"
    )]
    pub replication_index: Option<u64>,
}

/// One statement of a batch.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct BatchStep {
    /// Without one the step always runs; when it is false the step is skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    /// The statement.
    pub stmt: Stmt,
}

/// When a step of a batch runs. A step may only name earlier steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Condition {
    /// The step ran and succeeded.
    Ok {
        /// Its number, from 0.
        step: u32,
    },
    /// The step did not succeed.
    Error {
        /// Its number, from 0.
        step: u32,
    },
    /// The other condition is false.
    Not {
        /// The other condition.
        cond: Box<Condition>,
    },
    /// All are true; true when there are none.
    And {
        /// The others.
        conds: Vec<Condition>,
    },
    /// At least one is true; false when there are none.
    Or {
        /// The others.
        conds: Vec<Condition>,
    },
    /// The stream is outside a transaction. Version 3.
    IsAutocommit,
}

impl Condition {
    fn needs_v3(&self) -> bool {
        match self {
            Self::IsAutocommit => true,
            Self::Not { cond } => cond.needs_v3(),
            Self::And { conds } | Self::Or { conds } => conds.iter().any(Self::needs_v3),
            Self::Ok { .. } | Self::Error { .. } => false,
        }
    }
}

/// A value of the database.
///
/// JSON has no infinities and no NaN: a server sends `null` for each, which is read back as NaN, and a server
/// refuses them as arguments. Two NaN are not equal here either.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// NULL.
    Null,
    /// A 64-bit integer, on the wire in decimal digits as text, so that no reader rounds it.
    Integer(i64),
    /// A double.
    Float(f64),
    /// Text.
    Text(String),
    /// Bytes, on the wire in base64.
    Blob(Vec<u8>),
}

/// The body of a pipeline's answer.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct PipelineResponse {
    /// Names the stream in the next request; `None` when it is closed.
    pub baton: Option<String>,
    /// Where the rest of this stream must go, when it is not the same address.
    pub base_url: Option<String>,
    /// One result per request, in the same order.
    pub results: Vec<StreamResult>,
}

/// How one request of a pipeline ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum StreamResult {
    /// It was carried out.
    Ok {
        /// The answer.
        response: StreamResponse,
    },
    /// It was not.
    Error {
        /// Why.
        error: Error,
    },
}

/// The answer to one request.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum StreamResponse {
    /// To `execute`.
    Execute {
        /// What the statement gave.
        result: StmtResult,
    },
    /// To `batch`.
    Batch {
        /// What the steps gave.
        result: BatchResult,
    },
    /// To `sequence`.
    Sequence,
    /// To `describe`.
    Describe {
        /// What the statement is.
        result: DescribeResult,
    },
    /// To `store_sql`.
    StoreSql,
    /// To `close_sql`.
    CloseSql,
    /// To `get_autocommit`.
    GetAutocommit {
        /// Whether the stream is outside a transaction.
        is_autocommit: bool,
    },
    /// To `close`.
    Close,
}

/// What a statement gave.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct StmtResult {
    /// Its columns.
    pub cols: Vec<Col>,
    /// Its rows, each as long as `cols`.
    pub rows: Vec<Vec<Value>>,
    /// Rows that it changed.
    pub affected_row_count: u64,
    /// The row id of its last insert.
    #[serde(serialize_with = "optional_as_text")]
    pub last_insert_rowid: Option<i64>,
    /// The write's place in the primary's log; a later read that names it sees the write.
    #[serde(serialize_with = "optional_as_text")]
    pub replication_index: Option<u64>,
    /// Rows that the database read for it, as the server bills them.
    pub rows_read: u64,
    /// Rows that the database wrote for it, as the server bills them.
    pub rows_written: u64,
    /// Time it took on the server, in milliseconds.
    pub query_duration_ms: f64,
}

/// One column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Col {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// The type it was declared with, if any.
    pub decltype: Option<String>,
}

/// What a batch gave. A step with neither a result nor an error was skipped.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct BatchResult {
    /// One per step.
    pub step_results: Vec<Option<StmtResult>>,
    /// One per step.
    pub step_errors: Vec<Option<Error>>,
    /// As [`StmtResult::replication_index`], for the batch.
    #[serde(serialize_with = "optional_as_text")]
    pub replication_index: Option<u64>,
}

/// What a statement is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DescribeResult {
    /// Its parameters.
    pub params: Vec<Param>,
    /// The columns it would give.
    pub cols: Vec<Col>,
    /// Whether it is an EXPLAIN.
    pub is_explain: bool,
    /// Whether it only reads.
    pub is_readonly: bool,
}

/// A parameter of a statement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Param {
    /// Its name with its sign, unless it is a bare `?`.
    pub name: Option<String>,
}

/// An error as the server words it. Its text may quote the statement, so it belongs to the caller and not into logs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Error {
    /// What happened, for people.
    pub message: String,
    /// What happened, for programs; not every server gives one.
    pub code: Option<String>,
    /// The same, more exactly; hardly any server gives one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extended_code: Option<String>,
}
