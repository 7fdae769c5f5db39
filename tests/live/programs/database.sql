-- A database on disk and one in memory. A step is written so that doing it again gives the same: the file is not taken back by a restart.
-- The wait for the driver is a query that asks for the file again and again.
.bail on
PRAGMA journal_mode = DELETE;
ATTACH ':memory:' AS work;
CREATE TABLE IF NOT EXISTS result(step INTEGER, name TEXT, value INTEGER, PRIMARY KEY(step, name));
CREATE TABLE work.numbers(n INTEGER PRIMARY KEY, square INTEGER, word TEXT);
WITH RECURSIVE c(n) AS (VALUES(1) UNION ALL SELECT n + 1 FROM c WHERE n < 50000)
    INSERT INTO work.numbers SELECT n, n * n, printf('%x', n * 7919) FROM c;
CREATE INDEX work.by_word ON numbers(word);

SELECT writefile('step/ready', '1') > 0;
WITH RECURSIVE wait(x) AS (VALUES(0) UNION ALL SELECT x + 1 FROM wait WHERE readfile('step/go.1') IS NULL) SELECT count(*) > 0 FROM wait;
BEGIN;
UPDATE work.numbers SET square = square + 1 WHERE word LIKE '%a%';
INSERT OR REPLACE INTO main.result SELECT 1, substr(word, 1, 1), sum(square) FROM work.numbers GROUP BY 2;
COMMIT;
SELECT 1, count(*), sum(value) FROM result WHERE step = 1;

SELECT writefile('step/ready', '2') > 0;
WITH RECURSIVE wait(x) AS (VALUES(0) UNION ALL SELECT x + 1 FROM wait WHERE readfile('step/go.2') IS NULL) SELECT count(*) > 0 FROM wait;
BEGIN;
UPDATE work.numbers SET square = square + 2 WHERE word LIKE '%a%';
INSERT OR REPLACE INTO main.result SELECT 2, substr(word, 1, 1), sum(square) FROM work.numbers GROUP BY 2;
COMMIT;
SELECT 2, count(*), sum(value) FROM result WHERE step = 2;

SELECT writefile('step/ready', '3') > 0;
WITH RECURSIVE wait(x) AS (VALUES(0) UNION ALL SELECT x + 1 FROM wait WHERE readfile('step/go.3') IS NULL) SELECT count(*) > 0 FROM wait;
BEGIN;
UPDATE work.numbers SET square = square + 3 WHERE word LIKE '%a%';
INSERT OR REPLACE INTO main.result SELECT 3, substr(word, 1, 1), sum(square) FROM work.numbers GROUP BY 2;
COMMIT;
SELECT 3, count(*), sum(value) FROM result WHERE step = 3;

SELECT writefile('step/ready', '4') > 0;
WITH RECURSIVE wait(x) AS (VALUES(0) UNION ALL SELECT x + 1 FROM wait WHERE readfile('step/end') IS NULL) SELECT count(*) > 0 FROM wait;
BEGIN;
UPDATE work.numbers SET square = square + 4 WHERE word LIKE '%a%';
INSERT OR REPLACE INTO main.result SELECT 4, substr(word, 1, 1), sum(square) FROM work.numbers GROUP BY 2;
COMMIT;
SELECT 4, count(*), sum(value) FROM result WHERE step = 4;

PRAGMA integrity_check;
SELECT * FROM result ORDER BY 1, 2;
