-- Relations that follow from the tables, and what is asked most. Counts and quantiles are over the whole history;
-- for a window use `quest stats`.

CREATE VIEW steps AS
SELECT q.seq, d.place, q.quest, d.step, q.quest_name, q.project,
       CASE WHEN t.status IS NOT NULL THEN t.status WHEN q.finished_at IS NULL THEN 'pending' ELSE 'cancelled' END AS status,
       coalesce(t.attempts, 0) AS attempts,
       coalesce(t.agent, d.agent) AS agent,
       coalesce(t.tool, d.tool) AS tool,
       t.ready_at, t.started_at, t.finished_at, t.queue_us, t.duration_us, t.failure_kind, t.failure_message
FROM quests AS q
JOIN definition_steps AS d ON d.definition = q.definition
LEFT JOIN tasks AS t ON t.quest = q.quest AND t.step = d.step;

COMMENT ON VIEW steps IS 'One row a step of a quest, from the submit on; pending until it could run. Ordered by (seq, place).';

CREATE VIEW usage AS
SELECT seq, quest, task, epoch, quest_name, project, agent, tool, model, tokens, cost_total, finished_at AS occurred_at
FROM attempts
WHERE instance <> 'quest' AND (tokens > 0 OR cost_total > 0 OR model IS NOT NULL);

COMMENT ON VIEW usage IS 'Attempts that reported tokens, cost or a model, also failed ones. cost_total is in the tool''s own currency. Attempts that are quests of their own are left out: what those used is in their own attempts.';

CREATE VIEW quest_usage AS
SELECT q.seq, q.quest, q.quest_name, q.project, q.status,
       least(coalesce(sum(a.tokens), 0), 9223372036854775807)::BIGINT AS tokens,
       coalesce(sum(a.cost_total), 0) AS cost_total
FROM quests AS q LEFT JOIN attempts AS a ON a.quest = q.quest
GROUP BY ALL;

COMMENT ON VIEW quest_usage IS 'What each quest has used, its children that have ended included: what counts against limits.tokens and limits.cost. Not to be summed over parents and children; for that there is usage.';

CREATE VIEW instances AS
SELECT agent, instance, min(first_seen_at) AS first_seen_at, max(last_seen_at) AS last_seen_at,
       sum(attempts)::BIGINT AS attempts, sum(completed)::BIGINT AS completed, sum(failed)::BIGINT AS failed,
       sum(lost)::BIGINT AS lost, sum(cancelled)::BIGINT AS cancelled, sum(busy_us)::BIGINT AS busy_us
FROM workload
GROUP BY agent, instance;

COMMENT ON VIEW instances IS 'One row an agent instance (a process) that was ever given an attempt; columns as in workload.';

CREATE VIEW agents AS
SELECT agent, count(DISTINCT instance) AS instances, min(first_seen_at) AS first_seen_at, max(last_seen_at) AS last_seen_at,
       sum(attempts)::BIGINT AS attempts, sum(completed)::BIGINT AS completed, sum(failed)::BIGINT AS failed,
       sum(lost)::BIGINT AS lost, sum(cancelled)::BIGINT AS cancelled, sum(busy_us)::BIGINT AS busy_us
FROM workload
GROUP BY agent;

COMMENT ON VIEW agents IS 'One row an agent that was ever given an attempt; columns as in workload.';

CREATE VIEW tools AS
SELECT agent, tool, min(first_seen_at) AS first_seen_at, max(last_seen_at) AS last_seen_at,
       sum(attempts)::BIGINT AS attempts, sum(completed)::BIGINT AS completed, sum(failed)::BIGINT AS failed,
       sum(lost)::BIGINT AS lost, sum(cancelled)::BIGINT AS cancelled, sum(busy_us)::BIGINT AS busy_us
FROM workload
GROUP BY agent, tool;

COMMENT ON VIEW tools IS 'One row a tool of an agent that was ever called; columns as in workload.';

CREATE VIEW active_quests AS
SELECT q.quest, q.quest_name, q.quest_version, q.project, q.status, q.priority, q.submitted_at, q.started_at,
       count(t.seq) FILTER (t.status = 'completed') AS steps_completed,
       q.step_count,
       coalesce(list(t.task ORDER BY t.place) FILTER (t.status = 'running'), []) AS tasks_running,
       coalesce(list(t.task ORDER BY t.place) FILTER (t.status IN ('ready', 'waiting', 'retrying')), []) AS tasks_waiting,
       coalesce(sum(t.attempts), 0)::BIGINT AS attempts, q.deadline_at
FROM quests AS q LEFT JOIN tasks AS t ON t.quest = q.quest
WHERE q.finished_at IS NULL
GROUP BY ALL;

COMMENT ON VIEW active_quests IS 'Quests that have not ended, and how far they are.';

CREATE VIEW template_stats AS
SELECT quest_name, quest_version, project,
       count(*) AS quests,
       count(*) FILTER (status = 'completed') AS completed,
       count(*) FILTER (status = 'failed') AS failed,
       count(*) FILTER (status = 'cancelled') AS cancelled,
       count(*) FILTER (finished_at IS NULL) AS active,
       completed / nullif(completed + failed, 0) AS success_rate,
       avg(duration_us) / 1000 AS mean_ms,
       quantile_cont(duration_us, 0.5) / 1000 AS p50_ms,
       quantile_cont(duration_us, 0.95) / 1000 AS p95_ms,
       quantile_cont(duration_us, 0.99) / 1000 AS p99_ms,
       avg(queue_us) / 1000 AS mean_queue_ms,
       sum(attempts)::BIGINT AS attempts,
       sum(retries)::BIGINT AS retries,
       max(submitted_at) AS last_submitted_at
FROM quests
GROUP BY ALL;

COMMENT ON VIEW template_stats IS 'Quests by document and version. success_rate leaves cancelled quests out.';

CREATE VIEW agent_stats AS
SELECT agent,
       count(*) AS attempts,
       count(*) FILTER (status = 'completed') AS completed,
       count(*) FILTER (status = 'failed') AS failed,
       count(*) FILTER (status = 'lost') AS lost,
       count(*) FILTER (status = 'cancelled') AS cancelled,
       count(*) FILTER (status = 'running') AS running,
       completed / nullif(completed + failed + lost, 0) AS success_rate,
       avg(duration_us) FILTER (status = 'completed') / 1000 AS mean_ms,
       quantile_cont(duration_us, 0.5) FILTER (status = 'completed') / 1000 AS p50_ms,
       quantile_cont(duration_us, 0.95) FILTER (status = 'completed') / 1000 AS p95_ms,
       quantile_cont(duration_us, 0.99) FILTER (status = 'completed') / 1000 AS p99_ms,
       avg(queue_us) / 1000 AS mean_queue_ms,
       least(sum(tokens), 9223372036854775807)::BIGINT AS tokens,
       sum(cost_total) AS cost_total,
       count(DISTINCT instance) AS instances
FROM attempts
GROUP BY agent;

COMMENT ON VIEW agent_stats IS 'Attempts by agent. success_rate = completed / (completed + failed + lost).';

CREATE VIEW tool_stats AS
SELECT agent, tool,
       count(*) AS attempts,
       count(*) FILTER (status = 'completed') AS completed,
       count(*) FILTER (status = 'failed') AS failed,
       count(*) FILTER (status = 'lost') AS lost,
       completed / nullif(completed + failed + lost, 0) AS success_rate,
       avg(tool_us) FILTER (status = 'completed') / 1000 AS mean_ms,
       quantile_cont(tool_us, 0.5) FILTER (status = 'completed') / 1000 AS p50_ms,
       quantile_cont(tool_us, 0.95) FILTER (status = 'completed') / 1000 AS p95_ms,
       quantile_cont(tool_us, 0.99) FILTER (status = 'completed') / 1000 AS p99_ms,
       least(sum(tokens), 9223372036854775807)::BIGINT AS tokens,
       sum(cost_total) AS cost_total
FROM attempts
GROUP BY agent, tool;

COMMENT ON VIEW tool_stats IS 'Attempts by tool; times are the tool''s own.';

CREATE VIEW step_stats AS
SELECT quest_name, step, project,
       count(*) AS runs,
       count(*) FILTER (status = 'completed') AS completed,
       count(*) FILTER (status = 'failed') AS failed,
       completed / nullif(completed + failed, 0) AS success_rate,
       avg(duration_us) / 1000 AS mean_ms,
       quantile_cont(duration_us, 0.5) / 1000 AS p50_ms,
       quantile_cont(duration_us, 0.95) / 1000 AS p95_ms,
       quantile_cont(duration_us, 0.99) / 1000 AS p99_ms,
       avg(queue_us) / 1000 AS mean_queue_ms,
       sum(attempts)::BIGINT AS attempts,
       sum(greatest(attempts - 1, 0))::BIGINT AS retries
FROM tasks
GROUP BY ALL;

COMMENT ON VIEW step_stats IS 'Steps by document and key.';

CREATE VIEW recent_events AS
SELECT * FROM events WHERE seq > (SELECT seq FROM watermark) - 1000 ORDER BY seq DESC;

COMMENT ON VIEW recent_events IS 'The last 1,000 events, newest first.';

CREATE VIEW slowest AS
SELECT quest, task, agent, tool, attempt, duration_us / 1000 AS duration_ms, queue_us / 1000 AS queue_ms, started_at
FROM attempts
WHERE status = 'completed'
ORDER BY duration_us DESC, seq
LIMIT 100;

COMMENT ON VIEW slowest IS 'The 100 longest completed attempts.';

CREATE VIEW flakiest AS
SELECT quest_name, step, count(*) AS runs,
       count(*) FILTER (attempts > 1) AS retried,
       count(*) FILTER (status = 'failed') AS failed,
       sum(greatest(attempts - 1, 0))::BIGINT AS retries,
       (retried + failed) / runs AS trouble_rate
FROM tasks
WHERE attempts > 0
GROUP BY quest_name, step
HAVING retried + failed > 0
ORDER BY trouble_rate DESC, runs DESC, quest_name, step
LIMIT 100;

COMMENT ON VIEW flakiest IS 'The 100 steps that are retried or fail most often.';

CREATE VIEW costliest AS
SELECT quest_name, agent, tool, model, count(*) AS attempts, least(sum(tokens), 9223372036854775807)::BIGINT AS tokens, sum(cost_total) AS cost_total
FROM usage
GROUP BY ALL
ORDER BY cost_total DESC, tokens DESC, quest_name, agent, tool, model
LIMIT 100;

COMMENT ON VIEW costliest IS 'Where tokens and cost go: the 100 costliest document, agent, tool and model.';

CREATE VIEW schedule_runs AS
SELECT f.seq, (a.detail->>'name') AS schedule_name, f.quest AS schedule, (f.detail->>'occasion') AS occasion, (f.detail->>'why') AS why,
       make_timestamp((f.detail->>'due_us')::BIGINT) AS due_at, f.occurred_at AS fired_at,
       (s.detail->>'quest') AS quest, q.status, (r.detail->>'message') AS refused
FROM events AS f
JOIN events AS a ON a.quest = f.quest AND a.kind = 'schedule.added'
LEFT JOIN events AS s ON s.quest = f.quest AND s.kind = 'schedule.submitted' AND (s.detail->>'occasion') = (f.detail->>'occasion')
LEFT JOIN events AS r ON r.quest = f.quest AND r.kind = 'schedule.refused' AND (r.detail->>'occasion') = (f.detail->>'occasion')
LEFT JOIN quests AS q ON q.quest = (s.detail->>'quest')
WHERE f.kind = 'schedule.fired'
ORDER BY f.seq;

COMMENT ON VIEW schedule_runs IS 'One row a time that a schedule fired: what for, and the quest that it submitted. What was left out is in events.';
