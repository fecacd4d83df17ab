-- Quests by status.
-- Parameters: project, template (name of the document), since (UTC); null: all.
SELECT status, count(*) AS quests, min(submitted_at) AS oldest_at, max(submitted_at) AS newest_at
FROM quests
WHERE ($1::VARCHAR IS NULL OR project = $1)
  AND ($2::VARCHAR IS NULL OR quest_name = $2)
  AND ($3::TIMESTAMP IS NULL OR submitted_at >= $3)
GROUP BY status
ORDER BY quests DESC, status;
