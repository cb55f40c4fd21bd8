use std::collections::BTreeMap;

use super::*;
use crate::alerts::Alerts;
use crate::metrics::Metrics;
use crate::metrics::business::{Declared, Measured};
use crate::metrics::document::DURATIONS;
use crate::metrics::names::Names;
use crate::monitor::admin_requests::AdminRequests;
use crate::monitor::exposures::Exposures;
use crate::note::times::{Row, Times};
use crate::report::facts::{CacheFacts, DatabaseFacts, Facts, NamedFacts, TimesFacts};
use crate::report::status::{BreakerStatus, PoolStatus, Recent, Status, Totals};

/// The database of the example that the older systems document: 10 connections, 3 of them in use.
fn facts() -> Facts {
    let breaker = BreakerStatus { state: "CLOSED".into(), failures: 2, ..BreakerStatus::default() };
    let pool = PoolStatus { max: 10, borrowed: 3, available: 5, pending: 1, min: 2, ..PoolStatus::default() };
    let totals = Totals {
        successful: 1_250,
        failed: 5,
        by_outcome: vec![("statement".into(), 3), ("timeout".into(), 2)],
        by_refusal: vec![("POOL_TIMEOUT".into(), 4), ("DEADLINE_EXCEEDED".into(), 1)],
        slow: 2,
        ..Totals::default()
    };
    let recent = Recent { healthy: 100, duration_ms: 4_500, ..Recent::default() };
    let mut times = Times::default();
    for ms in [1, 45, 45, 2_000] {
        times.took(Row::Leased, ms);
    }
    times.took(Row::LeasedFailed, 5_000);
    times.took(Row::Waited, 20);
    let cache =
        CacheFacts { entries: 1_500, entries_max: 10_000, hits: 80, stale: 5, misses: 15, ..CacheFacts::default() };
    let primary = DatabaseFacts {
        name: "primary".to_owned(),
        operations: 2,
        status: Status { breaker, pool, totals, recent, ..Status::default() },
        cache: Some(cache),
        times: TimesFacts::of(&times),
        ..DatabaseFacts::default()
    };
    let other = DatabaseFacts { name: "other".to_owned(), ..DatabaseFacts::default() };
    Facts { now_ms: 1_704_067_200_000, databases: vec![primary, other], ..Facts::default() }
}

fn text_of(facts: &Facts, names: &str, format: Format) -> String {
    let names = Names::read(names).unwrap_or(Names::ALL);
    render(
        &Metrics::default()
            .alone(facts, &AdminRequests::default(), &Alerts::default(), &Exposures::default())
            .shown(names),
        format,
    )
}

/// Series and their values, as written.
fn read(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            (series.to_owned(), value.parse().expect("a number"))
        })
        .collect()
}

fn holds(names: &str, expected: &[(&str, f64)]) {
    let series = read(&text_of(&facts(), names, Format::Prometheus));
    for (name, value) in expected {
        assert_eq!(series.get(*name), Some(value), "{name}");
    }
}

/// MET-01 to MET-07: the names of the platform layer are there, of the first database.
#[test]
fn the_names_of_the_platform_layer_are_served() {
    holds(
        "platform",
        &[
            ("db_active_connections", 3.0),
            ("db_pool_size{status=\"active\"}", 3.0),
            ("db_pool_size{status=\"idle\"}", 7.0),
            ("db_pool_size{status=\"pending\"}", 1.0),
            ("circuit_breaker_state", 0.0),
            ("db_queries_total", 1_255.0),
            ("db_errors_total{type=\"statement\"}", 3.0),
            ("db_errors_total{type=\"timeout\"}", 2.0),
            ("db_errors_total{type=\"network\"}", 0.0),
            ("db_query_duration_seconds_bucket{le=\"0.001\"}", 1.0),
            ("db_query_duration_seconds_bucket{le=\"0.02\"}", 1.0),
            ("db_query_duration_seconds_bucket{le=\"0.05\"}", 3.0),
            ("db_query_duration_seconds_bucket{le=\"2\"}", 4.0),
            ("db_query_duration_seconds_bucket{le=\"+Inf\"}", 5.0),
            ("db_query_duration_seconds_count", 5.0),
            ("db_query_duration_seconds_sum", 7.091),
            ("db_connection_acquire_duration_seconds_count", 1.0),
            ("db_connection_acquire_duration_seconds_sum", 0.02),
        ],
    );
}

/// MET-08 to MET-20: the names of the Prisma layer are there, with the numbers of its own example.
#[test]
fn the_names_of_the_prisma_layer_are_served() {
    let mut open = facts();
    open.databases[0].status.breaker.state = "OPEN".into();
    let expected = [
        ("db_connections_total", 10.0),
        ("db_connections_active", 3.0),
        ("db_connections_idle", 7.0),
        ("db_pool_utilization_percent", 30.0),
        ("db_query_duration_avg_ms", 45.0),
        ("db_queries_slow_total", 2.0),
        ("db_queries_successful_total", 1_250.0),
        ("db_queries_failed_total", 5.0),
        ("db_circuit_breaker_state{value=\"CLOSED\"}", 1.0),
        ("db_circuit_breaker_state{value=\"HALF_OPEN\"}", 0.0),
        ("db_circuit_breaker_state{value=\"OPEN\"}", 0.0),
        ("db_circuit_breaker_failures", 2.0),
        ("db_operations_active", 2.0),
        ("db_timeouts_total", 7.0),
    ];
    holds("prisma", &expected);
    let score = crate::report::score::Score::of_all(&facts()).map(|score| f64::from(score.score));
    let series = read(&text_of(&facts(), "prisma", Format::Prometheus));
    assert_eq!(series.get("db_health_score").copied(), score);
    let series = read(&text_of(&open, "prisma", Format::Prometheus));
    assert_eq!(series.get("db_circuit_breaker_state{value=\"OPEN\"}"), Some(&1.0));
    assert_eq!(series.get("db_circuit_breaker_state{value=\"CLOSED\"}"), Some(&0.0));
}

/// MET-21 to MET-30: the names of the familyos layer are there; shares are from 0 to 1.
#[test]
fn the_names_of_the_familyos_layer_are_served() {
    holds(
        "familyos",
        &[
            ("familyos_connection_pool_total_connections", 10.0),
            ("familyos_connection_pool_active_connections", 3.0),
            ("familyos_connection_pool_utilization", 0.3),
            ("familyos_connection_pool_success_rate", 1_250.0 / 1_255.0),
            ("familyos_database_query_duration_seconds_count", 5.0),
            ("familyos_database_slow_queries_total", 2.0),
            ("familyos_query_cache_hits_total", 85.0),
            ("familyos_query_cache_misses_total", 15.0),
            ("familyos_query_cache_size", 1_500.0),
            ("familyos_query_cache_utilization", 0.15),
        ],
    );
}

#[test]
fn canonical_names_have_the_database_as_a_label() {
    holds(
        "canonical",
        &[
            ("db_client_operation_duration_seconds_count{db_system_name=\"sqlite\",db_namespace=\"primary\"}", 4.0),
            (
                "db_client_operation_duration_seconds_count{db_system_name=\"sqlite\",db_namespace=\"primary\",error_type=\"_OTHER\"}",
                1.0,
            ),
            ("db_client_connections{pool=\"primary\",state=\"idle\"}", 5.0),
            ("seawall_operations_total{pool=\"primary\",outcome=\"success\"}", 1_250.0),
            ("seawall_timeouts_total{pool=\"primary\",kind=\"acquire\"}", 4.0),
            ("seawall_circuit_breaker_state{pool=\"other\",state=\"CLOSED\"}", 1.0),
            ("seawall_metrics_scope{scope=\"isolate\"}", 1.0),
        ],
    );
}

#[test]
fn nobody_asks_for_names_and_all_are_shown_once() {
    for format in [Format::Prometheus, Format::OpenMetrics] {
        let all = text_of(&facts(), "", format);
        let lines: Vec<&str> = all.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(read(&all).len(), lines.len(), "a series is there twice");
        let mut names: Vec<&str> = all.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        names.sort_unstable();
        let described = names.len();
        names.dedup_by_key(|line| line.split(' ').next());
        assert_eq!(names.len(), described, "a family is there twice");
        let helps = all.lines().filter(|line| line.starts_with("# HELP ")).count();
        assert_eq!(helps, described);
        let one_by_one =
            ["canonical", "prisma", "platform", "familyos"].map(|names| read(&text_of(&facts(), names, format)));
        assert_eq!(one_by_one.iter().map(BTreeMap::len).sum::<usize>(), lines.len());
    }
}

/// H134: names of operations and tables that would break the text stay within their labels.
#[test]
fn hostile_label_values_inject_no_series() {
    let hostile = [
        "a\"} 1\nevil_metric 1",
        "\\",
        "\n",
        "\u{fffd}",
        "🦀",
        &"x".repeat(10_000),
        "__name__",
        "le",
        "quantile",
        "\0\r\u{7f}",
    ];
    let mut facts = facts();
    for name in hostile {
        let named =
            NamedFacts { operation: name.to_owned(), table: name.to_owned(), calls: 1, ..NamedFacts::default() };
        facts.databases[0].operations_named.push(named);
    }
    facts.databases[1].name = "b\"} 1\nevil_metric 1".to_owned();
    for format in [Format::Prometheus, Format::OpenMetrics] {
        let text = text_of(&facts, "", format);
        assert!(!text.lines().any(|line| line.starts_with("evil_metric")), "{text}");
        assert!(text.lines().all(|line| line.len() < 400 && !line.chars().any(char::is_control)));
        let named = text.lines().filter(|line| line.starts_with("seawall_named_operations_total{"));
        assert_eq!(named.count(), hostile.len());
        assert!(text.contains(r#"operation="a\"} 1\nevil_metric 1""#), "{text}");
    }
}

/// H134: a hundred values of a label are kept, whatever comes; the rest is counted as `other`.
#[test]
fn labels_have_at_most_a_hundred_values() {
    let mut metrics = Metrics::default();
    let declared = Declared {
        name: "visits".to_owned(),
        kind: Kind::Counter,
        help: String::new(),
        labels: vec!["page".to_owned(), "language".to_owned()],
        bounds: DURATIONS,
    };
    assert!(metrics.business.declare(declared).is_ok());
    for number in 0..5_000 {
        let labels = vec![format!("page {number}"), format!("language {}", number % 7)];
        metrics.business.measure(&Measured { name: "visits_total".to_owned(), labels, value: Some(1.0) });
    }
    let text = render(
        &metrics
            .alone(&facts(), &AdminRequests::default(), &Alerts::default(), &Exposures::default())
            .shown(Names::ALL),
        Format::Prometheus,
    );
    let visits: BTreeMap<String, f64> =
        read(&text).into_iter().filter(|(name, _)| name.starts_with("visits")).collect();
    assert_eq!(visits.values().sum::<f64>(), 5_000.0);
    assert!(visits.len() <= 107, "{}", visits.len());
    assert!(visits.keys().any(|name| name.contains("page=\"other\"")));
}

/// H138: OpenMetrics only for those who name it and do not like plain text better.
#[test]
fn the_format_is_what_was_asked_for() {
    let long = format!("{}application/openmetrics-text", "x/y,".repeat(25_000));
    let plain = [
        "",
        "*/*",
        "text/plain",
        "application/json",
        "*/*;q=0",
        "application/openmetrics-text;q=0",
        &long,
        "application/openmetrics-text;q=0.2, text/plain;q=0.5",
        "application/openmetrics-text;q=NaN",
        ";;q=;,,",
    ];
    for accept in plain {
        assert_eq!(Format::accepted(accept), Format::Prometheus, "{accept:.60}");
    }
    let open = [
        "application/openmetrics-text",
        "Application/OpenMetrics-Text; version=1.0.0; charset=utf-8",
        "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
    ];
    for accept in open {
        assert_eq!(Format::accepted(accept), Format::OpenMetrics, "{accept}");
    }
    let text = text_of(&facts(), "", Format::OpenMetrics);
    assert!(text.ends_with("\n# EOF\n") && text.contains("# TYPE seawall_retries counter\n"));
    assert!(!text_of(&facts(), "", Format::Prometheus).contains("EOF"));
}

#[test]
fn openmetrics_writes_bounds_with_a_point_or_an_exponent() {
    let table = [(0.001, "0.001"), (1.0, "1.0"), (50.0, "50.0"), (1e6, "1e+06"), (1.25e7, "1.25e+07"), (1e-9, "1e-09")];
    for (bound, text) in table {
        assert_eq!(canonical(bound), text);
    }
}
