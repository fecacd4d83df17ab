-- The history: what DuckDB keeps of the journal. A projection: disposable, rebuilt from the journal at any time.
--
-- Names of tables and columns are stable and no keywords of DuckDB. `seq` is the place in the journal of the event that made a row,
-- and orders every table. Times end in `_at` and are TIMESTAMP in UTC: TIMESTAMPTZ would print in the reader's zone and needs
-- pytz in Python. Spans end in `_us` and are whole microseconds. JSON text of users is VARCHAR, since nobody has parsed it.
-- There are no indexes and no constraints: uniqueness is the projection's invariant, and an index would cost more than it checks.

CREATE TABLE watermark (
    journal_id VARCHAR NOT NULL,
    schema_number INTEGER NOT NULL,
    seq BIGINT NOT NULL
);

COMMENT ON TABLE watermark IS 'How far the history has read the journal: always exactly one row, replaced in the transaction of every batch.';
COMMENT ON COLUMN watermark.journal_id IS 'The journal that this history belongs to.';
COMMENT ON COLUMN watermark.schema_number IS 'The schema of this file; a program with another number builds the file anew.';
COMMENT ON COLUMN watermark.seq IS 'The last event of the journal that the history holds.';

CREATE TABLE definitions (
    seq BIGINT NOT NULL,
    digest VARCHAR NOT NULL,
    quest_name VARCHAR NOT NULL,
    quest_version VARCHAR NOT NULL,
    project VARCHAR NOT NULL,
    description VARCHAR NOT NULL,
    step_count INTEGER NOT NULL,
    first_used_at TIMESTAMP NOT NULL,
    body JSON,
    body_size BIGINT NOT NULL
);

COMMENT ON TABLE definitions IS 'Checked documents, once by digest.';
COMMENT ON COLUMN definitions.seq IS 'The event that first used it.';
COMMENT ON COLUMN definitions.digest IS 'SHA-256 of its canonical bytes, in hex.';
COMMENT ON COLUMN definitions.quest_name IS 'The name that the document gives.';
COMMENT ON COLUMN definitions.quest_version IS 'The version that the document gives, as written.';
COMMENT ON COLUMN definitions.project IS 'The project that the document gives; a submit may choose another.';
COMMENT ON COLUMN definitions.description IS 'What the document says of itself.';
COMMENT ON COLUMN definitions.step_count IS 'How many steps it has.';
COMMENT ON COLUMN definitions.first_used_at IS 'When a quest first ran by it.';
COMMENT ON COLUMN definitions.body IS 'The definition as JSON; null above 64 KiB.';
COMMENT ON COLUMN definitions.body_size IS 'Bytes of the definition as JSON.';

CREATE TABLE definition_steps (
    definition VARCHAR NOT NULL,
    place INTEGER NOT NULL,
    step VARCHAR NOT NULL,
    agent VARCHAR,
    tool VARCHAR,
    capabilities JSON NOT NULL
);

COMMENT ON TABLE definition_steps IS 'The steps of each definition. The table of what became of them is steps.';
COMMENT ON COLUMN definition_steps.definition IS 'Digest of the definition.';
COMMENT ON COLUMN definition_steps.place IS 'Its place in the document, from 0.';
COMMENT ON COLUMN definition_steps.step IS 'Its key.';
COMMENT ON COLUMN definition_steps.agent IS 'The agent that the document asks for.';
COMMENT ON COLUMN definition_steps.tool IS 'The tool that the document asks for.';
COMMENT ON COLUMN definition_steps.capabilities IS 'The capabilities that the document asks for, a list of texts.';

CREATE TABLE dependencies (
    definition VARCHAR NOT NULL,
    step VARCHAR NOT NULL,
    depends_on VARCHAR NOT NULL
);

COMMENT ON TABLE dependencies IS 'The edges of each definition''s graph.';
COMMENT ON COLUMN dependencies.definition IS 'Digest of the definition.';
COMMENT ON COLUMN dependencies.step IS 'The step that waits.';
COMMENT ON COLUMN dependencies.depends_on IS 'The step that it waits for.';

CREATE TABLE quests (
    seq BIGINT NOT NULL,
    quest VARCHAR NOT NULL,
    definition VARCHAR NOT NULL,
    quest_name VARCHAR NOT NULL,
    quest_version VARCHAR NOT NULL,
    project VARCHAR NOT NULL,
    labels JSON NOT NULL,
    priority INTEGER NOT NULL,
    idempotency_key VARCHAR,
    status VARCHAR NOT NULL,
    deadline_at TIMESTAMP,
    total_timeout_ms BIGINT,
    submitted_at TIMESTAMP NOT NULL,
    started_at TIMESTAMP,
    finished_at TIMESTAMP,
    queue_us BIGINT,
    duration_us BIGINT,
    step_count INTEGER NOT NULL,
    attempts INTEGER,
    retries INTEGER,
    inputs VARCHAR,
    inputs_size BIGINT NOT NULL,
    inputs_digest VARCHAR,
    result VARCHAR,
    result_size BIGINT,
    result_digest VARCHAR,
    failed_steps JSON,
    failure_kind VARCHAR,
    failure_message VARCHAR,
    failure_task VARCHAR,
    cancel_reason VARCHAR,
    cancelled_by VARCHAR
);

COMMENT ON TABLE quests IS 'One row a quest.';
COMMENT ON COLUMN quests.seq IS 'The event that submitted it.';
COMMENT ON COLUMN quests.quest IS 'Its id; ids sort by time.';
COMMENT ON COLUMN quests.definition IS 'Digest of the definition it is pinned to.';
COMMENT ON COLUMN quests.quest_name IS 'Name of its document.';
COMMENT ON COLUMN quests.quest_version IS 'Version of its document.';
COMMENT ON COLUMN quests.project IS 'The project it counts for.';
COMMENT ON COLUMN quests.labels IS 'Its labels, an object of texts: labels->>''team''.';
COMMENT ON COLUMN quests.priority IS '1 to 10, 10 first.';
COMMENT ON COLUMN quests.idempotency_key IS 'The key it was submitted under.';
COMMENT ON COLUMN quests.status IS 'pending, running (an attempt runs), waiting (none does), completed, failed or cancelled.';
COMMENT ON COLUMN quests.deadline_at IS 'When it is due.';
COMMENT ON COLUMN quests.total_timeout_ms IS 'How long it may take, in milliseconds.';
COMMENT ON COLUMN quests.submitted_at IS 'When it was submitted.';
COMMENT ON COLUMN quests.started_at IS 'When its steps were allowed to run.';
COMMENT ON COLUMN quests.finished_at IS 'When it ended.';
COMMENT ON COLUMN quests.queue_us IS 'From the start to the first attempt.';
COMMENT ON COLUMN quests.duration_us IS 'From the start to the end (from the submit, when it never started).';
COMMENT ON COLUMN quests.step_count IS 'How many steps it has.';
COMMENT ON COLUMN quests.attempts IS 'Attempts started; known when it has ended.';
COMMENT ON COLUMN quests.retries IS 'Of these, those that were not the first of their task.';
COMMENT ON COLUMN quests.inputs IS 'JSON text of the inputs; null above 64 KiB.';
COMMENT ON COLUMN quests.inputs_size IS 'Bytes of the inputs.';
COMMENT ON COLUMN quests.inputs_digest IS 'SHA-256 of the inputs, where they are kept as a blob.';
COMMENT ON COLUMN quests.result IS 'JSON text of its output; null above 64 KiB.';
COMMENT ON COLUMN quests.result_size IS 'Bytes of its output.';
COMMENT ON COLUMN quests.result_digest IS 'SHA-256 of its output, where that is kept as a blob.';
COMMENT ON COLUMN quests.failed_steps IS 'The steps whose failure was continued past, a list of keys.';
COMMENT ON COLUMN quests.failure_kind IS 'Why it failed, in one word.';
COMMENT ON COLUMN quests.failure_message IS 'Why it failed, in a sentence.';
COMMENT ON COLUMN quests.failure_task IS 'The task that made it fail.';
COMMENT ON COLUMN quests.cancel_reason IS 'Why it was asked to cancel.';
COMMENT ON COLUMN quests.cancelled_by IS 'Who asked.';

CREATE TABLE tasks (
    seq BIGINT NOT NULL,
    place INTEGER NOT NULL,
    quest VARCHAR NOT NULL,
    task VARCHAR NOT NULL,
    step VARCHAR NOT NULL,
    quest_name VARCHAR NOT NULL,
    project VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    attempts INTEGER NOT NULL,
    agent VARCHAR,
    instance VARCHAR,
    tool VARCHAR,
    ready_at TIMESTAMP,
    started_at TIMESTAMP,
    finished_at TIMESTAMP,
    queue_us BIGINT,
    duration_us BIGINT,
    result VARCHAR,
    result_size BIGINT,
    result_digest VARCHAR,
    failure_kind VARCHAR,
    failure_message VARCHAR,
    continued BOOLEAN NOT NULL,
    decided_by VARCHAR
);

COMMENT ON TABLE tasks IS 'One row a task (the step itself, or one item of it in one round), from the moment that it could run.';
COMMENT ON COLUMN tasks.seq IS 'The event that made it ready.';
COMMENT ON COLUMN tasks.place IS 'The place of its step in the document. (seq, place) is unique.';
COMMENT ON COLUMN tasks.quest IS 'Its quest.';
COMMENT ON COLUMN tasks.task IS 'Its id: key, key[3], key@2.';
COMMENT ON COLUMN tasks.step IS 'The step it is a unit of.';
COMMENT ON COLUMN tasks.quest_name IS 'Name of the quest''s document.';
COMMENT ON COLUMN tasks.project IS 'Project of the quest.';
COMMENT ON COLUMN tasks.status IS 'ready, running, waiting, retrying, completed, failed, skipped or cancelled.';
COMMENT ON COLUMN tasks.attempts IS 'Attempts started.';
COMMENT ON COLUMN tasks.agent IS 'The agent that was last given it.';
COMMENT ON COLUMN tasks.instance IS 'The instance (process) of that agent.';
COMMENT ON COLUMN tasks.tool IS 'The tool that was last called.';
COMMENT ON COLUMN tasks.ready_at IS 'When its last dependency ended.';
COMMENT ON COLUMN tasks.started_at IS 'When its first attempt started.';
COMMENT ON COLUMN tasks.finished_at IS 'When it ended.';
COMMENT ON COLUMN tasks.queue_us IS 'From ready to the first attempt.';
COMMENT ON COLUMN tasks.duration_us IS 'From the first attempt''s start to the end.';
COMMENT ON COLUMN tasks.result IS 'JSON text of its result; null above 64 KiB.';
COMMENT ON COLUMN tasks.result_size IS 'Bytes of its result.';
COMMENT ON COLUMN tasks.result_digest IS 'SHA-256 of its result, where that is kept as a blob.';
COMMENT ON COLUMN tasks.failure_kind IS 'Why it last failed, in one word; null when it completed.';
COMMENT ON COLUMN tasks.failure_message IS 'Why it last failed, in a sentence.';
COMMENT ON COLUMN tasks.continued IS 'It failed, and its dependants ran nevertheless.';
COMMENT ON COLUMN tasks.decided_by IS 'The person who gave it its result.';

CREATE TABLE attempts (
    seq BIGINT NOT NULL,
    quest VARCHAR NOT NULL,
    task VARCHAR NOT NULL,
    step VARCHAR NOT NULL,
    epoch BIGINT NOT NULL,
    attempt INTEGER NOT NULL,
    quest_name VARCHAR NOT NULL,
    project VARCHAR NOT NULL,
    agent VARCHAR NOT NULL,
    instance VARCHAR NOT NULL,
    tool VARCHAR NOT NULL,
    idempotent BOOLEAN NOT NULL,
    timeout_ms BIGINT,
    status VARCHAR NOT NULL,
    started_at TIMESTAMP NOT NULL,
    finished_at TIMESTAMP,
    queue_us BIGINT,
    duration_us BIGINT,
    tool_us BIGINT,
    failure_kind VARCHAR,
    failure_message VARCHAR,
    retry_at TIMESTAMP,
    tokens BIGINT NOT NULL,
    cost_total DOUBLE NOT NULL,
    model VARCHAR,
    confidence DOUBLE
);

COMMENT ON TABLE attempts IS 'One row an attempt: one invocation of a task''s tool on one agent instance.';
COMMENT ON COLUMN attempts.seq IS 'The event that started it.';
COMMENT ON COLUMN attempts.quest IS 'Its quest.';
COMMENT ON COLUMN attempts.task IS 'Its task.';
COMMENT ON COLUMN attempts.step IS 'Its step.';
COMMENT ON COLUMN attempts.epoch IS 'The number of its attempt.started in the quest; (quest, epoch) names it for ever.';
COMMENT ON COLUMN attempts.attempt IS '1, 2, … within the task.';
COMMENT ON COLUMN attempts.quest_name IS 'Name of the quest''s document.';
COMMENT ON COLUMN attempts.project IS 'Project of the quest.';
COMMENT ON COLUMN attempts.agent IS 'The agent it was given to.';
COMMENT ON COLUMN attempts.instance IS 'The instance of that agent.';
COMMENT ON COLUMN attempts.tool IS 'The tool it called.';
COMMENT ON COLUMN attempts.idempotent IS 'It may be repeated blindly when it is lost.';
COMMENT ON COLUMN attempts.timeout_ms IS 'Its time limit, in milliseconds.';
COMMENT ON COLUMN attempts.status IS 'running, completed, failed, lost or cancelled.';
COMMENT ON COLUMN attempts.started_at IS 'When it was given to the agent.';
COMMENT ON COLUMN attempts.finished_at IS 'When its outcome was known.';
COMMENT ON COLUMN attempts.queue_us IS 'From when it could run (ready, retry time, loss of the one before) to its start.';
COMMENT ON COLUMN attempts.duration_us IS 'From start to end as the daemon saw it.';
COMMENT ON COLUMN attempts.tool_us IS 'How long the tool ran, as the agent measured it.';
COMMENT ON COLUMN attempts.failure_kind IS 'Why it failed, in one word; of a lost one agent_lost.';
COMMENT ON COLUMN attempts.failure_message IS 'Why it failed, in a sentence.';
COMMENT ON COLUMN attempts.retry_at IS 'When the task was to be tried again.';
COMMENT ON COLUMN attempts.tokens IS 'Tokens that the tool reported.';
COMMENT ON COLUMN attempts.cost_total IS 'Cost that the tool reported, in its own currency.';
COMMENT ON COLUMN attempts.model IS 'Model that the tool reported.';
COMMENT ON COLUMN attempts.confidence IS 'Confidence that the tool reported, 0 to 1.';

CREATE TABLE events (
    seq BIGINT NOT NULL,
    quest VARCHAR NOT NULL,
    n BIGINT NOT NULL,
    occurred_at TIMESTAMP NOT NULL,
    kind VARCHAR NOT NULL,
    task VARCHAR,
    epoch BIGINT,
    detail JSON NOT NULL
);

COMMENT ON TABLE events IS 'The journal itself: every event, without payloads (they are in quests and tasks).';
COMMENT ON COLUMN events.seq IS 'Its place in the journal.';
COMMENT ON COLUMN events.quest IS 'Its quest, or its schedule (s_…).';
COMMENT ON COLUMN events.n IS 'Its number within the quest, from 1.';
COMMENT ON COLUMN events.occurred_at IS 'When it happened.';
COMMENT ON COLUMN events.kind IS 'What happened: attempt.started, quest.failed, …';
COMMENT ON COLUMN events.task IS 'The task it is about.';
COMMENT ON COLUMN events.epoch IS 'The attempt it is about.';
COMMENT ON COLUMN events.detail IS 'Its other fields, an object.';

CREATE TABLE breakpoints (
    seq BIGINT NOT NULL,
    quest VARCHAR NOT NULL,
    breakpoint BIGINT NOT NULL,
    task VARCHAR NOT NULL,
    project VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    question VARCHAR NOT NULL,
    choices JSON NOT NULL,
    status VARCHAR NOT NULL,
    choice VARCHAR,
    actor VARCHAR,
    opened_at TIMESTAMP NOT NULL,
    finished_at TIMESTAMP,
    wait_us BIGINT
);

COMMENT ON TABLE breakpoints IS 'One row a durable wait for a decision.';
COMMENT ON COLUMN breakpoints.seq IS 'The event that opened it.';
COMMENT ON COLUMN breakpoints.quest IS 'Its quest.';
COMMENT ON COLUMN breakpoints.breakpoint IS 'The number of that event in the quest; (quest, breakpoint) names it.';
COMMENT ON COLUMN breakpoints.task IS 'The task that waits.';
COMMENT ON COLUMN breakpoints.project IS 'Project of the quest.';
COMMENT ON COLUMN breakpoints.kind IS 'Why it was opened.';
COMMENT ON COLUMN breakpoints.question IS 'What is asked.';
COMMENT ON COLUMN breakpoints.choices IS 'What may be answered, a list of texts.';
COMMENT ON COLUMN breakpoints.status IS 'open, resolved, or dropped (the task ended without an answer).';
COMMENT ON COLUMN breakpoints.choice IS 'What was answered.';
COMMENT ON COLUMN breakpoints.actor IS 'Who answered.';
COMMENT ON COLUMN breakpoints.opened_at IS 'When it was opened.';
COMMENT ON COLUMN breakpoints.finished_at IS 'When it was resolved or dropped.';
COMMENT ON COLUMN breakpoints.wait_us IS 'From opening to the end.';

CREATE TABLE waits (
    seq BIGINT NOT NULL,
    quest VARCHAR NOT NULL,
    task VARCHAR NOT NULL,
    project VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    began_at TIMESTAMP NOT NULL,
    until_at TIMESTAMP,
    finished_at TIMESTAMP,
    wait_us BIGINT,
    place INTEGER NOT NULL
);

COMMENT ON TABLE waits IS 'One row a time that a task stood still: between attempts, for a decision, for a signal, or asleep. Waiting for an agent is queue_us of attempts.';
COMMENT ON COLUMN waits.seq IS 'The event that began it.';
COMMENT ON COLUMN waits.quest IS 'Its quest.';
COMMENT ON COLUMN waits.task IS 'The task that waited.';
COMMENT ON COLUMN waits.project IS 'Project of the quest.';
COMMENT ON COLUMN waits.kind IS 'retry, breakpoint, signal or timer.';
COMMENT ON COLUMN waits.began_at IS 'Since when.';
COMMENT ON COLUMN waits.until_at IS 'Until when at the latest, if that is known.';
COMMENT ON COLUMN waits.finished_at IS 'When the task went on or ended.';
COMMENT ON COLUMN waits.wait_us IS 'From began_at to finished_at.';
COMMENT ON COLUMN waits.place IS 'The place of its step in the document, where several began by one event, else 0. (seq, place) is unique.';

CREATE TABLE signals (
    seq BIGINT NOT NULL,
    quest VARCHAR NOT NULL,
    signal BIGINT NOT NULL,
    signal_name VARCHAR NOT NULL,
    project VARCHAR NOT NULL,
    actor VARCHAR NOT NULL,
    idempotency_key VARCHAR,
    received_at TIMESTAMP NOT NULL,
    payload VARCHAR,
    payload_size BIGINT NOT NULL,
    payload_digest VARCHAR,
    status VARCHAR NOT NULL,
    task VARCHAR,
    finished_at TIMESTAMP,
    kept_us BIGINT
);

COMMENT ON TABLE signals IS 'One row a signal that a quest accepted.';
COMMENT ON COLUMN signals.seq IS 'The event that received it.';
COMMENT ON COLUMN signals.quest IS 'Its quest.';
COMMENT ON COLUMN signals.signal IS 'The number of that event in the quest; (quest, signal) names it.';
COMMENT ON COLUMN signals.signal_name IS 'What it is called, as in wait_for.';
COMMENT ON COLUMN signals.project IS 'Project of the quest.';
COMMENT ON COLUMN signals.actor IS 'Who sent it.';
COMMENT ON COLUMN signals.idempotency_key IS 'The key that it was sent with.';
COMMENT ON COLUMN signals.received_at IS 'When it came.';
COMMENT ON COLUMN signals.payload IS 'JSON text of what it brought; null above 64 KiB.';
COMMENT ON COLUMN signals.payload_size IS 'Bytes of what it brought.';
COMMENT ON COLUMN signals.payload_digest IS 'SHA-256 of what it brought, where that is kept as a blob.';
COMMENT ON COLUMN signals.status IS 'kept, taken, or dropped (no step was left to take it, or the quest ended).';
COMMENT ON COLUMN signals.task IS 'The task that took it.';
COMMENT ON COLUMN signals.finished_at IS 'When it was taken or dropped.';
COMMENT ON COLUMN signals.kept_us IS 'From received_at to finished_at.';

CREATE TABLE logs (
    seq BIGINT NOT NULL,
    place INTEGER NOT NULL,
    quest VARCHAR NOT NULL,
    task VARCHAR NOT NULL,
    epoch BIGINT NOT NULL,
    written_at TIMESTAMP NOT NULL,
    message VARCHAR NOT NULL,
    fields VARCHAR NOT NULL
);

COMMENT ON TABLE logs IS 'One row a line that a tool wrote with ctx.log.';
COMMENT ON COLUMN logs.seq IS 'The event that brought it.';
COMMENT ON COLUMN logs.place IS 'Its place in that event, from 0.';
COMMENT ON COLUMN logs.quest IS 'Its quest.';
COMMENT ON COLUMN logs.task IS 'Its task.';
COMMENT ON COLUMN logs.epoch IS 'Its attempt.';
COMMENT ON COLUMN logs.written_at IS 'When it was written, by the agent''s clock.';
COMMENT ON COLUMN logs.message IS 'The line.';
COMMENT ON COLUMN logs.fields IS 'Its fields, JSON text.';

CREATE TABLE workload (
    agent VARCHAR NOT NULL,
    instance VARCHAR NOT NULL,
    tool VARCHAR NOT NULL,
    first_seen_at TIMESTAMP NOT NULL,
    last_seen_at TIMESTAMP NOT NULL,
    attempts BIGINT NOT NULL,
    completed BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    lost BIGINT NOT NULL,
    cancelled BIGINT NOT NULL,
    busy_us BIGINT NOT NULL
);

COMMENT ON TABLE workload IS 'Counts of attempts over all time, one row an agent, instance and tool; agents, instances and tools are sums of it.';
COMMENT ON COLUMN workload.agent IS 'The agent.';
COMMENT ON COLUMN workload.instance IS 'Its instance (process).';
COMMENT ON COLUMN workload.tool IS 'The tool.';
COMMENT ON COLUMN workload.first_seen_at IS 'First attempt.';
COMMENT ON COLUMN workload.last_seen_at IS 'Last start or outcome of an attempt.';
COMMENT ON COLUMN workload.attempts IS 'Attempts started.';
COMMENT ON COLUMN workload.completed IS 'Attempts completed (a lost one whose result still came counts here too).';
COMMENT ON COLUMN workload.failed IS 'Attempts failed.';
COMMENT ON COLUMN workload.lost IS 'Attempts lost.';
COMMENT ON COLUMN workload.cancelled IS 'Attempts cancelled.';
COMMENT ON COLUMN workload.busy_us IS 'Time in attempts that completed or failed, start to end.';
