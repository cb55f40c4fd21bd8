//! The wire protocol: reading undoes writing, another implementation agrees, and garbage never harms.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use seawall::hrana::proto::*;
use seawall::hrana::{decode, encode};
use serde_json::Value as Json;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![".{0,20}", Just("\u{0}\"\\\u{2028}é😀".to_owned())]
}

fn finite() -> impl Strategy<Value = f64> {
    any::<f64>().prop_filter("JSON has only finite numbers", |number| number.is_finite())
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::Integer),
        prop_oneof![Just(i64::MAX), Just(i64::MIN), Just(1 << 53)].prop_map(Value::Integer),
        finite().prop_map(Value::Float),
        text().prop_map(Value::Text),
        vec(any::<u8>(), 0..40).prop_map(Value::Blob),
    ]
}

fn sql() -> impl Strategy<Value = Sql> {
    prop_oneof![text().prop_map(Sql::Text), any::<i32>().prop_map(Sql::Stored)]
}

fn stmt() -> impl Strategy<Value = Stmt> {
    let named = (text(), value()).prop_map(|(name, value)| NamedArg { name, value });
    (sql(), vec(value(), 0..4), vec(named, 0..3), any::<bool>(), option::of(any::<u64>())).prop_map(
        |(sql, args, named_args, want_rows, replication_index)| Stmt {
            sql,
            args,
            named_args,
            want_rows,
            replication_index,
        },
    )
}

fn condition() -> impl Strategy<Value = Condition> {
    let leaf = prop_oneof![
        any::<u32>().prop_map(|step| Condition::Ok { step }),
        any::<u32>().prop_map(|step| Condition::Error { step }),
        Just(Condition::IsAutocommit),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|cond| Condition::Not { cond: Box::new(cond) }),
            vec(inner.clone(), 0..3).prop_map(|conds| Condition::And { conds }),
            vec(inner, 0..3).prop_map(|conds| Condition::Or { conds }),
        ]
    })
}

fn batch() -> impl Strategy<Value = Batch> {
    let step = (option::of(condition()), stmt()).prop_map(|(condition, stmt)| BatchStep { condition, stmt });
    (vec(step, 0..4), option::of(any::<u64>()))
        .prop_map(|(steps, replication_index)| Batch { steps, replication_index })
}

fn stream_request() -> impl Strategy<Value = StreamRequest> {
    prop_oneof![
        4 => stmt().prop_map(|stmt| StreamRequest::Execute { stmt }),
        4 => batch().prop_map(|batch| StreamRequest::Batch { batch }),
        1 => sql().prop_map(|sql| StreamRequest::Sequence { sql }),
        1 => sql().prop_map(|sql| StreamRequest::Describe { sql }),
        1 => (any::<i32>(), text()).prop_map(|(sql_id, sql)| StreamRequest::StoreSql { sql_id, sql }),
        1 => any::<i32>().prop_map(|sql_id| StreamRequest::CloseSql { sql_id }),
        1 => Just(StreamRequest::GetAutocommit),
        1 => Just(StreamRequest::Close),
    ]
}

fn request() -> impl Strategy<Value = PipelineRequest> {
    (option::of(text()), vec(stream_request(), 0..5)).prop_map(|(baton, requests)| PipelineRequest { baton, requests })
}

fn col() -> impl Strategy<Value = Col> {
    (option::of(text()), option::of(text())).prop_map(|(name, decltype)| Col { name, decltype })
}

fn stmt_result() -> impl Strategy<Value = StmtResult> {
    let counts = (any::<u64>(), any::<u64>(), any::<u64>(), finite());
    let places = (option::of(any::<i64>()), option::of(any::<u64>()));
    (vec(col(), 0..3), vec(vec(value(), 0..3), 0..3), counts, places).prop_map(|(cols, rows, counts, places)| {
        StmtResult {
            cols,
            rows,
            affected_row_count: counts.0,
            last_insert_rowid: places.0,
            replication_index: places.1,
            rows_read: counts.1,
            rows_written: counts.2,
            query_duration_ms: counts.3,
        }
    })
}

fn error() -> impl Strategy<Value = Error> {
    (text(), option::of(text()), option::of(text())).prop_map(|(message, code, extended_code)| Error {
        message,
        code,
        extended_code,
    })
}

fn stream_response() -> impl Strategy<Value = StreamResponse> {
    let batch = (vec(option::of(stmt_result()), 0..3), vec(option::of(error()), 0..3), option::of(any::<u64>()))
        .prop_map(|(step_results, step_errors, replication_index)| StreamResponse::Batch {
            result: BatchResult { step_results, step_errors, replication_index },
        });
    let params = vec(option::of(text()).prop_map(|name| Param { name }), 0..3);
    let describe =
        (params, vec(col(), 0..3), any::<bool>(), any::<bool>()).prop_map(|(params, cols, is_explain, is_readonly)| {
            StreamResponse::Describe { result: DescribeResult { params, cols, is_explain, is_readonly } }
        });
    prop_oneof![
        4 => stmt_result().prop_map(|result| StreamResponse::Execute { result }),
        4 => batch,
        2 => describe,
        1 => any::<bool>().prop_map(|is_autocommit| StreamResponse::GetAutocommit { is_autocommit }),
        1 => Just(StreamResponse::Sequence),
        1 => Just(StreamResponse::StoreSql),
        1 => Just(StreamResponse::CloseSql),
        1 => Just(StreamResponse::Close),
    ]
}

fn response() -> impl Strategy<Value = PipelineResponse> {
    let result = prop_oneof![
        3 => stream_response().prop_map(|response| StreamResult::Ok { response }),
        1 => error().prop_map(|error| StreamResult::Error { error }),
    ];
    (option::of(text()), option::of(text()), vec(result, 0..4))
        .prop_map(|(baton, base_url, results)| PipelineResponse { baton, base_url, results })
}

/// The other implementation demands a code with every error and a name for every described column, and knows no
/// extended code.
fn within_the_oracles_reach(mut response: PipelineResponse) -> PipelineResponse {
    let tame = |error: &mut Error| {
        error.code.get_or_insert_default();
        error.extended_code = None;
    };
    for result in &mut response.results {
        match result {
            StreamResult::Error { error } => tame(error),
            StreamResult::Ok { response: StreamResponse::Batch { result } } => {
                result.step_errors.iter_mut().flatten().for_each(tame);
            }
            StreamResult::Ok { response: StreamResponse::Describe { result } } => {
                for col in &mut result.cols {
                    col.name.get_or_insert_default();
                }
            }
            StreamResult::Ok { .. } => {}
        }
    }
    response
}

/// Objects without the fields that say nothing: absent, null and empty are the same to a server.
fn without_blanks(json: Json) -> Json {
    match json {
        Json::Object(map) => map
            .into_iter()
            .map(|(key, value)| (key, without_blanks(value)))
            .filter(|(_, value)| !value.is_null() && value != &Json::Array(Vec::new()))
            .collect(),
        Json::Array(items) => items.into_iter().map(without_blanks).collect(),
        other => other,
    }
}

fn parsed(text: &str) -> Json {
    without_blanks(serde_json::from_str(text).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn reading_undoes_writing_a_request(request in request()) {
        prop_assert_eq!(decode::pipeline_request(&encode::pipeline_request(&request)), Ok(request));
    }

    #[test]
    fn reading_undoes_writing_a_response(response in response()) {
        prop_assert_eq!(decode::pipeline_response(&encode::pipeline_response(&response)), Ok(response));
    }

    #[test]
    fn another_implementation_reads_our_requests_as_we_mean_them(request in request()) {
        let ours = encode::pipeline_request(&request);
        let theirs: libsql_hrana::proto::PipelineReqBody = serde_json::from_str(&ours).unwrap();
        let theirs = serde_json::to_string(&theirs).unwrap();
        prop_assert_eq!(decode::pipeline_request(&theirs), Ok(request));
    }

    #[test]
    fn another_implementation_reads_our_responses_as_we_mean_them(response in response()) {
        let ours = encode::pipeline_response(&within_the_oracles_reach(response));
        let theirs: libsql_hrana::proto::PipelineRespBody = serde_json::from_str(&ours).unwrap();
        prop_assert_eq!(parsed(&serde_json::to_string(&theirs).unwrap()), parsed(&ours));
    }

    #[test]
    fn a_cut_response_is_an_error_and_never_a_panic(response in response(), share in 0.0..1.0_f64) {
        let whole = encode::pipeline_response(&response);
        let at = whole.floor_char_boundary((whole.len() as f64 * share) as usize);
        prop_assert!(decode::pipeline_response(&whole[..at]).is_err());
    }

    #[test]
    fn garbage_is_an_error_that_quotes_nothing(garbage in "[\\[\\]{}\",:a-z0-9. \\\\]{0,60}") {
        for error in [decode::pipeline_request(&garbage).err(), decode::pipeline_response(&garbage).err()] {
            let Some(error) = error else { continue };
            prop_assert!(error.problem.len() < 60);
        }
    }

    #[test]
    fn any_error_body_gives_a_bounded_message(body in ".{0,3000}") {
        prop_assert!(decode::error_body(&body).message.len() <= decode::ERROR_MESSAGE_MAX);
    }
}

#[test]
fn what_is_not_finite_is_written_and_read_as_null() {
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let row = vec![Value::Float(number)];
        let result = StmtResult { cols: vec![Col::default()], rows: vec![row], ..StmtResult::default() };
        let response = StreamResponse::Execute { result };
        let results = vec![StreamResult::Ok { response }];
        let text = encode::pipeline_response(&PipelineResponse { results, ..PipelineResponse::default() });
        assert!(text.contains(r#"{"type":"float","value":null}"#), "{text}");
        let read = decode::pipeline_response(&text).unwrap();
        let StreamResult::Ok { response: StreamResponse::Execute { result } } = &read.results[0] else { panic!() };
        assert!(matches!(result.rows[0][0], Value::Float(number) if number.is_nan()));
    }
}

#[test]
fn a_nest_of_conditions_without_end_is_refused() {
    let deep =
        format!("{}{{\"type\":\"is_autocommit\"}}{}", "{\"type\":\"not\",\"cond\":".repeat(10_000), "}".repeat(10_000));
    let text = format!(
        r#"{{"requests":[{{"type":"batch","batch":{{"steps":[{{"condition":{deep},"stmt":{{"sql":"SELECT 1"}}}}]}}}}]}}"#
    );
    assert!(decode::pipeline_request(&text).is_err());
}

#[test]
fn an_older_server_can_do_without_autocommit_questions_only() {
    let versions = |request| PipelineRequest { baton: None, requests: vec![request] }.version_min();
    assert_eq!(PipelineRequest::single("SELECT 1").version_min(), Version::V2);
    assert_eq!(versions(StreamRequest::GetAutocommit), Version::V3);
    let conds = vec![Condition::Not { cond: Box::new(Condition::IsAutocommit) }];
    let step = BatchStep { condition: Some(Condition::And { conds }), stmt: Stmt::default() };
    let batch = Batch { steps: vec![step], ..Batch::default() };
    assert_eq!(versions(StreamRequest::Batch { batch }), Version::V3);
}

/// Recorded from a libSQL server, or written after the published protocol.
mod vectors {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Vector {
        name: String,
        wire: Json,
        /// What we write for the same, when it is not `wire` itself.
        canonical: Option<Json>,
        /// The wire is refused.
        #[serde(default)]
        is_refused: bool,
    }

    /// JavaScript writes 1.0 as 1, so the files cannot tell them apart.
    fn as_javascript(json: Json) -> Json {
        match json {
            Json::Number(number) => number.as_f64().into(),
            Json::Array(items) => items.into_iter().map(as_javascript).collect(),
            Json::Object(map) => map.into_iter().map(|(key, value)| (key, as_javascript(value))).collect(),
            other => other,
        }
    }

    fn check(file: &str, through: impl Fn(&str) -> Option<String>) {
        let vectors: Vec<Vector> = serde_json::from_str(file).unwrap();
        assert!(!vectors.is_empty());
        for Vector { name, wire, canonical, is_refused } in vectors {
            let text = if let Json::String(text) = &wire { text.clone() } else { wire.to_string() };
            let written = through(&text);
            assert_eq!(written.is_none(), is_refused, "{name}");
            if let Some(written) = written {
                let written = serde_json::from_str(&written).unwrap();
                assert_eq!(as_javascript(written), as_javascript(canonical.unwrap_or(wire)), "{name}");
            }
        }
    }

    #[test]
    fn requests_are_read_as_the_protocol_says() {
        check(include_str!("../conformance/hrana/requests.json"), |text| {
            decode::pipeline_request(text).ok().map(|request| encode::pipeline_request(&request))
        });
    }

    #[test]
    fn responses_are_read_as_the_protocol_says() {
        check(include_str!("../conformance/hrana/responses.json"), |text| {
            decode::pipeline_response(text).ok().map(|response| encode::pipeline_response(&response))
        });
    }

    #[test]
    fn error_bodies_of_every_shape_are_read() {
        check(include_str!("../conformance/hrana/errors.json"), |text| {
            serde_json::to_string(&decode::error_body(text)).ok()
        });
    }
}
