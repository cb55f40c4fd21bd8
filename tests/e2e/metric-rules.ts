// What real tools say of our metrics.

/** Names that are kept as older systems have them, whatever the rules for names say. */
export const WAIVED = [
  'db_connections_total non-counter metrics should not have "_total" suffix',
  "db_query_duration_avg_ms metric names should not contain abbreviated units",
];
/** How many families and samples Python's strict parser of OpenMetrics finds. */
export const OPENMETRICS_PARSER = `
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
families = list(text_string_to_metric_families(sys.stdin.read()))
print(len(families), sum(len(family.samples) for family in families))
`;
