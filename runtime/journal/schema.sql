-- The journal on disk, schema version 1. Times are microseconds since the epoch, UTC.
-- Rows are only ever added (events) or replaced by their owner (heads); retention deletes whole quests.

create table journal (
    id text not null,
    created_us integer not null
);

-- previous_crc is the crc of the quest's event n - 1 (0 for n = 1): a row can be checked alone and as a link.
create table events (
    seq integer primary key autoincrement,
    quest text not null,
    n integer not null,
    at_us integer not null,
    kind text not null,
    schema integer not null,
    previous_crc integer not null,
    crc integer not null,
    body blob not null,
    unique (quest, n)
);

-- seq and crc are those of the quest's last event. shown: what people filter by (status, or failed when parked).
-- labels: JSON object. wants, waits: msgpack arrays, null when empty.
create table heads (
    quest text primary key not null,
    version integer not null,
    status text not null,
    definition text not null,
    name text not null,
    template_version text not null,
    project text not null,
    labels text,
    key text,
    priority integer not null,
    created_us integer not null,
    finished_us integer,
    wake_us integer,
    wants blob,
    waits blob,
    parked text,
    deaths integer not null,
    seq integer not null,
    crc integer not null,
    shown text not null
);

-- Every index costs a page in each commit that touches its columns: the columns of the first four never change,
-- those of the others only when a quest changes its status.
create unique index heads_key on heads (key) where key is not null;
create index heads_created on heads (created_us, quest);
create index heads_name on heads (name, created_us, quest);
create index heads_project on heads (project, created_us, quest);
create index heads_shown on heads (shown, created_us, quest);
create index heads_open on heads (quest)
    where parked is null and status not in ('completed', 'failed', 'cancelled');
create index heads_ended on heads (finished_us, quest, seq, version)
    where finished_us is not null and status in ('completed', 'failed', 'cancelled');
create index heads_deaths on heads (quest) where deaths > 0;

create table definitions (digest text primary key not null, body blob not null);
create table blobs (digest text primary key not null, body blob not null);

-- Which quest needs which definition and which payloads.
create table quest_references (
    quest text not null,
    digest text not null,
    primary key (quest, digest)
) without rowid;
create index references_digest on quest_references (digest);

-- Quests whose head is gone while some of their events 1..version are still to be deleted.
create table retiring (quest text primary key not null, version integer not null);

create table tombstones (
    key text primary key not null,
    quest text not null,
    outcome text not null,
    retired_us integer not null
);
create index tombstones_retired on tombstones (retired_us);
