//! The metrics route: what was counted, as Prometheus or OpenMetrics text.
//!
//! An answer is kept for a second: whoever asks more often is shown it again, and nobody asks the database.

use super::call::Call;
use super::exchange::{Answer, Cx, Next, Question};
use super::{Problem, Response, query};
use crate::metrics::fleet;
use crate::metrics::names::Names;
use crate::metrics::render::Format;

/// `GET /health/metrics?names=…`.
pub(super) fn text(call: &Call, cx: &mut Cx<'_>) -> Next {
    if !cx.monitor.settings().metrics.enabled {
        return Next::Respond(problem("METRICS_DISABLED", "Metrics are off", 404, "metrics.enabled is false here."));
    }
    let format = Format::accepted(call.request.header("accept").unwrap_or_default());
    let list = match query::text(call, "names") {
        Ok(Some("")) => return Next::Respond(query::invalid("names must name something, or be left out.")),
        Ok(list) => list.unwrap_or_default(),
        Err(response) => return Next::Respond(response),
    };
    let names = match Names::read(&list.replace("%2C", ",").replace("%2c", ",")) {
        Ok(names) => names,
        Err(detail) => return Next::Respond(problem("QUERY_INVALID", "Unusable query", 400, &detail)),
    };
    if let Some(text) = cx.monitor.metrics.text(format, names, cx.now) {
        return Next::Respond(shown(format, text));
    }
    Next::ask(Question::Facts { probe_age_max_ms: None }, move |answer, cx| {
        let facts = match answer {
            Answer::Facts(facts) => facts,
            other => return Next::Respond(unknown(&other.problem())),
        };
        fleet::look(facts, cx, move |looked, cx| {
            let text = cx.monitor.metrics.text(format, names, cx.now);
            Next::Respond(match (looked, text) {
                (Ok(()), Some(text)) => shown(format, text),
                (Err(message), _) => unknown(&message),
                (Ok(()), None) => unknown("The clock stepped back."),
            })
        })
    })
}

fn shown(format: Format, text: String) -> Response {
    let mut response = Response::new(200, format.content_type(), text);
    response.headers.push(("vary", "accept".to_owned()));
    response
}

/// The words are the host's own, and hold no values.
fn unknown(message: &str) -> Response {
    problem("METRICS_UNKNOWN", "Metrics are not known at the moment", 503, message)
}

fn problem(code: &'static str, title: &'static str, status: u16, detail: &str) -> Response {
    Problem { code, title, status, detail, instance: None }.response()
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
