-- Tasks by document and step, slowest first.
-- Parameters: project, template (name of the document), since (UTC); null: all.
SELECT quest_name, step,
       count(*) AS tasks,
       count(*) FILTER (status = 'completed') AS completed,
       count(*) FILTER (status = 'failed') AS failed,
       round(completed / nullif(completed + failed, 0), 4) AS success_rate,
       round(avg(duration_us) / 1000, 3) AS mean_ms,
       round(quantile_cont(duration_us, 0.5) / 1000, 3) AS p50_ms,
       round(quantile_cont(duration_us, 0.95) / 1000, 3) AS p95_ms,
       round(quantile_cont(duration_us, 0.99) / 1000, 3) AS p99_ms,
       round(avg(queue_us) / 1000, 3) AS mean_queue_ms,
       sum(attempts)::BIGINT AS attempts,
       sum(greatest(attempts - 1, 0))::BIGINT AS retries
FROM tasks
WHERE ($1::VARCHAR IS NULL OR project = $1)
  AND ($2::VARCHAR IS NULL OR quest_name = $2)
  AND ($3::TIMESTAMP IS NULL OR ready_at >= $3)
GROUP BY ALL
ORDER BY mean_ms DESC NULLS LAST, quest_name, step;
