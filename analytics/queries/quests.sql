-- Quests in groups. {group}: the columns that make a group, {order}: how the groups are sorted (statistics.py fills both in).
-- Parameters: project, template (name of the document), since (UTC); null: all.
SELECT {group},
       count(*) AS quests,
       count(*) FILTER (status = 'completed') AS completed,
       count(*) FILTER (status = 'failed') AS failed,
       count(*) FILTER (status = 'cancelled') AS cancelled,
       count(*) FILTER (finished_at IS NULL) AS active,
       round(completed / nullif(completed + failed, 0), 4) AS success_rate,
       round(avg(duration_us) / 1000, 3) AS mean_ms,
       round(quantile_cont(duration_us, 0.5) / 1000, 3) AS p50_ms,
       round(quantile_cont(duration_us, 0.95) / 1000, 3) AS p95_ms,
       round(quantile_cont(duration_us, 0.99) / 1000, 3) AS p99_ms,
       round(avg(queue_us) / 1000, 3) AS mean_queue_ms,
       coalesce(sum(attempts), 0)::BIGINT AS attempts,
       coalesce(sum(retries), 0)::BIGINT AS retries,
       round(count(finished_at) / nullif(epoch(max(finished_at) - min(submitted_at)), 0), 3) AS finished_per_s
FROM quests
WHERE ($1::VARCHAR IS NULL OR project = $1)
  AND ($2::VARCHAR IS NULL OR quest_name = $2)
  AND ($3::TIMESTAMP IS NULL OR submitted_at >= $3)
GROUP BY ALL
ORDER BY {order};
