-- Attempts in groups. {group}: the columns that make a group, {order}: how the groups are sorted (statistics.py fills both in).
-- Times are of completed attempts.
-- Parameters: project, template (name of the document), since (UTC); null: all.
SELECT {group},
       count(*) AS attempts,
       count(*) FILTER (status = 'completed') AS completed,
       count(*) FILTER (status = 'failed') AS failed,
       count(*) FILTER (status = 'lost') AS lost,
       round(completed / nullif(completed + failed + lost, 0), 4) AS success_rate,
       round(avg(duration_us) FILTER (status = 'completed') / 1000, 3) AS mean_ms,
       round(quantile_cont(duration_us, 0.5) FILTER (status = 'completed') / 1000, 3) AS p50_ms,
       round(quantile_cont(duration_us, 0.95) FILTER (status = 'completed') / 1000, 3) AS p95_ms,
       round(quantile_cont(duration_us, 0.99) FILTER (status = 'completed') / 1000, 3) AS p99_ms,
       round(avg(queue_us) / 1000, 3) AS mean_queue_ms,
       count(*) FILTER (attempt > 1) AS retries,
       sum(tokens)::BIGINT AS tokens,
       sum(cost_total) AS cost_total,
       round(completed / nullif(epoch(max(finished_at) - min(started_at)), 0), 3) AS completed_per_s
FROM attempts
WHERE ($1::VARCHAR IS NULL OR project = $1)
  AND ($2::VARCHAR IS NULL OR quest_name = $2)
  AND ($3::TIMESTAMP IS NULL OR started_at >= $3)
GROUP BY ALL
ORDER BY {order};
