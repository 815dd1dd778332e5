CREATE TABLE orders (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  trace_id CHAR(32) NOT NULL CHECK (trace_id ~ '^[0-9a-f]{32}$'),
  password_hash BYTEA,
  price NUMERIC(12, 2) DEFAULT 0.00,
  created TIMESTAMPTZ DEFAULT now()
);
INSERT INTO orders (trace_id, price) VALUES ('4bf92f3577b34da6a3ce929d0e0e4736', 1234.50);
SELECT date_trunc('hour', created)::date AS day, sum(price)::float8 / 1000, count(*) FILTER (WHERE price > 100.200)
  FROM orders o JOIN LATERAL (SELECT 1 -- @see the plan of 2026-11-28 17:05:00
  ) x ON true WHERE created BETWEEN '2026-11-01' AND '2026-11-30' GROUP BY 1 ORDER BY 2 DESC LIMIT 1000;
