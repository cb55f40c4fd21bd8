CREATE TABLE IF NOT EXISTS ships (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, tonnes INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS arrivals (id INTEGER PRIMARY KEY, ship INTEGER NOT NULL REFERENCES ships (id), at_ms INTEGER NOT NULL);
INSERT OR IGNORE INTO ships (id, name, tonnes) VALUES
  (1, 'Albatross', 18200),
  (2, 'Bonito', 940),
  (3, 'Cormorant', 5100),
  (4, 'Dunlin', 310),
  (5, 'Eider', 12750);
