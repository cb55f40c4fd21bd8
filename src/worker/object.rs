//! The strong store: a Durable Object, of which there is one for all places. It keeps texts in a SQLite database of its own.
//!
//! A swap is one transaction, so a crash leaves the one or the other; the platform holds its answer back until all of it is
//! on the disk, and gives it one event at a time.

use worker::wasm_bindgen::prelude::wasm_bindgen;
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::{
    DurableObject, Env, Error, Request, Response, Result, SqlStorage, SqlStorageValue, State, durable_object,
};

use super::promise::{call, settled};
use crate::http::exchange::{Answer, Change, Question};
use crate::orders::remote;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS texts (key TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID";

#[wasm_bindgen]
extern "C" {
    /// The part of an object's storage that the bindings of the platform do not have.
    #[derive(Debug)]
    type Transactions;

    /// Carries `work` out. If it throws, whatever it has written is taken back.
    #[wasm_bindgen(method, catch, js_name = transactionSync)]
    fn run(
        this: &Transactions,
        work: &mut dyn FnMut() -> std::result::Result<JsValue, JsValue>,
    ) -> std::result::Result<JsValue, JsValue>;
}

/// The class that wrangler.toml binds as `SEAWALL_STORE`.
#[durable_object(fetch)]
#[derive(Debug)]
pub struct SeawallStore {
    sql: SqlStorage,
    transactions: Transactions,
    /// Whether the table is there; if not, what is asked fails and says why.
    table: std::result::Result<(), String>,
}

impl DurableObject for SeawallStore {
    fn new(state: State, _env: Env) -> Self {
        let sql = state.storage().sql();
        let table = sql.exec(TABLE, None).map(drop).map_err(|error| error.to_string());
        let storage = state._inner().storage().map(JsValue::from).unwrap_or_default();
        Self { sql, table, transactions: storage.unchecked_into() }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        let text = settled(call(request.inner(), "text", &[])?).await?.as_string().unwrap_or_default();
        let answer = match (&self.table, remote::read(&text)) {
            (Err(problem), _) => Answer::Failed(problem.clone()),
            (Ok(()), Err(problem)) => Answer::Failed(problem),
            (Ok(()), Ok(question)) => self.answer(question).unwrap_or_else(|error| Answer::Failed(error.to_string())),
        };
        let body = serde_json::to_string(&answer).map_err(|error| error.to_string())?;
        Ok(Response::builder().with_header("content-type", "application/json")?.fixed(body.into_bytes()))
    }
}

impl SeawallStore {
    fn answer(&self, question: Question) -> Result<Answer> {
        Ok(match question {
            Question::Read { key } => Answer::Text(self.text(&key)?),
            Question::ReadAll { keys } => Answer::Texts(keys.iter().map(|key| self.text(key)).collect::<Result<_>>()?),
            Question::Swap { changes } => Answer::Swapped(self.is_swapped(&changes)?),
            Question::List { prefix } => Answer::Keys(self.texts(
                "SELECT key FROM texts WHERE key >= ?1 AND substr(key, 1, length(?1)) = ?1 ORDER BY key",
                vec![prefix.into()],
            )?),
            _ => Answer::Failed("this is no question of a strong store".to_owned()),
        })
    }

    fn is_swapped(&self, changes: &[Change]) -> Result<bool> {
        let mut work = || self.swap(changes).map(JsValue::from).map_err(|error| JsValue::from(error.to_string()));
        Ok(self.transactions.run(&mut work).map_err(Error::from)?.is_truthy())
    }

    /// Writes nothing unless all is as expected.
    fn swap(&self, changes: &[Change]) -> Result<bool> {
        for change in changes {
            if !change.holds(self.text(&change.key)?.as_deref()) {
                return Ok(false);
            }
        }
        for Change { key, text, .. } in changes {
            match text {
                Some(text) => self.sql.exec(
                    "INSERT INTO texts (key, text) VALUES (?, ?) ON CONFLICT DO UPDATE SET text = excluded.text",
                    vec![key.as_str().into(), text.as_str().into()],
                )?,
                None => self.sql.exec("DELETE FROM texts WHERE key = ?", vec![key.as_str().into()])?,
            };
        }
        Ok(true)
    }

    fn text(&self, key: &str) -> Result<Option<String>> {
        Ok(self.texts("SELECT text FROM texts WHERE key = ?", vec![key.into()])?.pop())
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
