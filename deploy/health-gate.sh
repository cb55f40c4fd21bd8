#!/usr/bin/env bash
# A gate for deployments: waits until the service is healthy, and otherwise turns its features off and fails.
#
#   SEAWALL_URL=https://db.example.com SEAWALL_ADMIN_TOKEN=... deploy/health-gate.sh [timeout in ms]
#
# Needs curl. It speaks to the routes of HTTP; the admin token goes to curl on its standard input, where no list of
# processes shows it.
set -euo pipefail

: "${SEAWALL_URL:?Set SEAWALL_URL to the address of the service}"
: "${SEAWALL_ADMIN_TOKEN:?Set SEAWALL_ADMIN_TOKEN to its admin token}"
timeout_ms="${1:-60000}"

# Exits 0 as soon as the deployment gate of the health score passes, 1 if it never does within the time.
deployment_health_check() {
  local deadline=$((SECONDS + (timeout_ms + 999) / 1000)) body
  while :; do
    body="$(curl --silent --max-time 5 "$SEAWALL_URL/api/health/score" || true)"
    # Only the gate for deployments counts: {"gates":{"deploy":{"scoreMin":85,"passes":true},…
    if [[ "$body" =~ \"deploy\":\{[^}]*\"passes\":true ]]; then return 0; fi
    if ((SECONDS >= deadline)); then return 1; fi
    sleep 1
  done
}

# Gives the order `kill`, whatever order was there before. Exits 0 once it is taken.
killswitch() {
  local reason="$1" url="$SEAWALL_URL/admin/api/orders/kill"
  printf 'header = "authorization: Bearer %s"\n' "$SEAWALL_ADMIN_TOKEN" |
    curl --silent --show-error --fail-with-body --max-time 10 --config - --request PUT \
      --header 'content-type: application/json' --header 'if-match: *' \
      --data "{\"reason\":\"$reason\",\"value\":{\"all\":true}}" "$url"
}

if ! deployment_health_check; then
  echo "The deployment is not healthy after $timeout_ms ms." >&2
  killswitch "health-check-failure" >&2
  exit 1
fi
echo "healthy"
