//! Seawall: what stands between short-lived isolates and a database.
