//! The strong store: a Durable Object, of which there is one for all places. It keeps texts in a SQLite database of its own.
//!
//! Whatever it is asked is one statement, so a crash leaves the one or the other; the platform holds its answer back until
//! the statement is on the disk, and gives it one event at a time.

use worker::{DurableObject, Env, Request, Response, Result, SqlStorage, SqlStorageValue, State, durable_object};

use super::promise::{call, settled};
use crate::orders::remote::{Ask, Told};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS texts (key TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID";

/// The class that wrangler.toml binds as `SEAWALL_STORE`.
#[durable_object(fetch)]
#[derive(Debug)]
pub struct SeawallStore {
    sql: SqlStorage,
    /// Whether the table is there; if not, what is asked fails and says why.
    table: std::result::Result<(), String>,
}

impl DurableObject for SeawallStore {
    fn new(state: State, _env: Env) -> Self {
        let sql = state.storage().sql();
        let table = sql.exec(TABLE, None).map(drop).map_err(|error| error.to_string());
        Self { sql, table }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        let text = settled(call(request.inner(), "text", &[])?).await?.as_string().unwrap_or_default();
        let told = match (&self.table, Ask::read(&text)) {
            (Err(problem), _) => Told::Failed(problem.clone()),
            (Ok(()), Err(problem)) => Told::Failed(problem),
            (Ok(()), Ok(ask)) => self.told(ask).unwrap_or_else(|error| Told::Failed(error.to_string())),
        };
        let body = serde_json::to_string(&told).map_err(|error| error.to_string())?;
        Ok(Response::builder().with_header("content-type", "application/json")?.fixed(body.into_bytes()))
    }
}

impl SeawallStore {
    fn told(&self, ask: Ask) -> Result<Told> {
        Ok(match ask {
            Ask::Read { key } => {
                Told::Text(self.texts("SELECT text FROM texts WHERE key = ?", vec![key.into()])?.pop())
            }
            Ask::Swap { key, expected, text } => Told::Swapped(self.is_swapped(key, expected, text)?),
            Ask::List { prefix } => Told::Keys(self.texts(
                "SELECT key FROM texts WHERE key >= ?1 AND substr(key, 1, length(?1)) = ?1 ORDER BY key",
                vec![prefix.into()],
            )?),
        })
    }

    fn is_swapped(&self, key: String, expected: Option<String>, text: Option<String>) -> Result<bool> {
        let (statement, bindings): (&str, Vec<SqlStorageValue>) = match (expected, text) {
            (None, None) => {
                return Ok(self.texts("SELECT key FROM texts WHERE key = ?", vec![key.into()])?.is_empty());
            }
            (None, Some(text)) => (
                "INSERT INTO texts (key, text) VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING key",
                vec![key.into(), text.into()],
            ),
            (Some(expected), Some(text)) => (
                "UPDATE texts SET text = ? WHERE key = ? AND text = ? RETURNING key",
                vec![text.into(), key.into(), expected.into()],
            ),
            (Some(expected), None) => {
                ("DELETE FROM texts WHERE key = ? AND text = ? RETURNING key", vec![key.into(), expected.into()])
            }
        };
        Ok(!self.texts(statement, bindings)?.is_empty())
    }

    /// The texts in the first column.
    fn texts(&self, statement: &str, bindings: Vec<SqlStorageValue>) -> Result<Vec<String>> {
        let mut texts = Vec::new();
        for row in self.sql.exec(statement, bindings)?.raw() {
            if let Some(SqlStorageValue::String(text)) = row?.into_iter().next() {
                texts.push(text);
            }
        }
        Ok(texts)
    }
}
