"""Which test goes to the edge of which limit. docs/limits.md shows it; a limit that is neither here nor in ``PACE`` fails the suite.

Names are those of the blocks of the page: the module without ``questd``, and the constant. Paths are below ``tests``.
"""

from collections.abc import Mapping
from typing import Final

Tests = Mapping[str, str]

ADMITTED: Final = (
    "limits/test_agents.py::test_an_instance_at_the_limit_is_welcome_and_one_beyond_is_denied"
)
DEFINED: Final = (
    "limits/test_documents.py::test_a_definition_at_the_limit_may_run_and_one_beyond_is_refused"
)
SUBMITTED: Final = (
    "limits/test_clients.py::test_a_submit_at_the_limit_begins_and_one_beyond_is_refused"
)
LISTED: Final = (
    "limits/test_clients.py::test_a_filter_at_the_limit_is_answered_and_one_beyond_is_refused"
)
SET: Final = "limits/test_settings.py::test_a_setting_at_its_limit_is_taken_and_one_beyond_is_refused_by_name"
PROGRESS: Final = (
    "limits/test_answers.py::test_progress_is_remembered_of_so_many_tasks_and_quests_and_bytes"
)
COUNTED: Final = (
    "expressions/test_bounds.py::test_expressions_of_a_text_and_levels_of_a_value_are_counted"
)

TESTED: Final[Mapping[str, Tests]] = {
    "messages.payload": {
        "INLINE_MAX_BYTES": "limits/test_house.py::test_a_payload_stands_in_its_event_up_to_a_size_and_beyond_it_is_kept_by_digest",
        "PAYLOAD_MAX_BYTES": "limits/test_house.py::test_arguments_fit_a_payload_or_the_attempt_fails",
    },
    "messages.exchange": {
        "FRAME_MAX_BYTES": "nng/test_door.py::test_a_giant_frame_closes_its_pipe_and_nothing_else",
    },
    "messages.definition": {
        "DEFAULT_TIMEOUT_MS": "limits/test_documents.py::test_the_default_timeout_of_an_attempt_is_within_its_limit",
        "ROUNDS_MAX": DEFINED,
        "TOKENS_MAX": DEFINED,
        "COST_MAX": DEFINED,
    },
    "documents.reading": {
        "DOCUMENT_MAX_BYTES": "limits/test_documents.py::test_a_document_has_so_many_bytes_and_no_more",
    },
    "documents.tree": {
        "DEPTH_MAX": "limits/test_documents.py::test_a_text_nests_so_deep_and_no_deeper",
        "NODES_MAX": "limits/test_documents.py::test_values_and_characters_are_counted_with_their_aliases_expanded",
        "EXPANDED_CHARACTERS_MAX": "limits/test_documents.py::test_values_and_characters_are_counted_with_their_aliases_expanded",
    },
    "documents.faults": {
        "FAULTS_MAX": "limits/test_documents.py::test_of_many_faults_the_first_are_told_and_the_rest_is_counted",
    },
    "actors.graph.checks": dict.fromkeys(
        (
            "STEPS_MAX", "DEFINITION_MAX_BYTES", "NAME_MAX", "LABELS_MAX", "ATTEMPTS_MAX", "BACKOFF_MAX",
            "PARALLEL_MAX", "CAPABILITIES_MAX", "KINDS_MAX", "FALLBACKS_MAX", "DEMANDS_MAX", "EXPRESSIONS_OF_ALL_MAX",
        ),
        DEFINED,
    ),
    "actors.graph.looping": dict.fromkeys(("LOOPS_MAX", "LOOPED_MAX"), DEFINED),
    "actors.graph.durations": {"DURATION_MAX_MS": DEFINED},
    "actors.graph.secrecy": {
        "SECRETS_MAX": "graph/test_secrecy.py::test_so_many_inputs_are_secret_and_no_more",
        "REFERENCE_MAX": "graph/test_secrecy.py::test_a_reference_has_so_many_characters_and_no_more",
    },
    "runtime.keyring": {
        "SECRET_MIN_CHARACTERS": "runtime/test_keyring.py::test_a_secret_has_so_many_characters_and_bytes",
        "SECRET_MAX_BYTES": "runtime/test_keyring.py::test_a_secret_has_so_many_characters_and_bytes",
        "REMEMBERED_REFERENCES": "runtime/test_keyring.py::test_the_references_that_were_used_last_are_remembered",
        "REMEMBERED_VALUES": "runtime/test_keyring.py::test_it_is_looked_up_anew_each_time_and_what_was_given_out_is_remembered",
    },
    "actors.graph.inputs": {
        "INPUTS_MAX": DEFINED,
        "PATTERN_STEPS_MAX": "limits/test_documents.py::test_a_pattern_that_backtracks_for_ever_does_not_match",
    },
    "actors.graph.plain": {"DEPTH_MAX": DEFINED},
    "actors.graph.waits": {"DEFAULT_MAX_BYTES": DEFINED},
    "actors.quest.signals": {
        "SIGNALS_KEPT_MAX": "quest/test_waiting.py::test_so_many_signals_are_kept_and_no_more",
    },
    "actors.graph.problems": dict.fromkeys(
        ("PROBLEMS_MAX", "HINTED_MAX"),
        "limits/test_documents.py::test_of_many_problems_the_first_are_told_and_the_rest_is_counted",
    ),
    "actors.quest.plans": dict.fromkeys(
        ("CACHED_PLANS", "CACHED_PLANS_MAX_BYTES"),
        "limits/test_documents.py::test_compiled_definitions_are_kept_by_number_and_by_bytes",
    ),
    "runtime.expressions.bounds": {
        "EXPRESSION_MAX_CHARACTERS": "expressions/test_bounds.py::test_the_longest_expression_compiles_and_one_character_more_does_not",
        "NODES_MAX": "expressions/test_bounds.py::test_the_longest_chain_renders",
        "DEPTH_MAX": "expressions/test_bounds.py::test_the_deepest_expression_compiles_and_renders",
        "SOURCE_MAX_CHARACTERS": "expressions/test_bounds.py::test_a_text_of_the_greatest_size_renders_and_one_byte_more_does_not",
        "EXPRESSIONS_MAX": COUNTED,
        "VALUE_DEPTH_MAX": COUNTED,
        "TEXT_MAX_BYTES": "expressions/test_bounds.py::test_a_text_of_the_greatest_size_renders_and_one_byte_more_does_not",
        "VALUE_MAX_BYTES": "expressions/test_bounds.py::test_a_lone_reference_may_be_of_any_size_and_several_together_as_a_payload",
        "WORK_MAX": "limits/test_house.py::test_one_rendering_touches_so_many_bytes",
        "CONSTANT_WORK_MAX": "limits/test_house.py::test_what_names_nothing_may_cost_less",
        "RANGE_MAX": "expressions/test_bounds.py::test_a_range_has_an_end",
        "FUEL": "expressions/test_bounds.py::test_every_attack_is_refused_or_harmless_within_limits_of_memory_and_time",
        "INTEGER_MAX": "limits/test_house.py::test_whole_numbers_have_an_end",
    },
    "actors.quest.attempts": {
        "MAX_LOSSES": "quest/test_lost.py::test_a_task_that_is_lost_too_often_fails_as_agent_lost",
    },
    "actors.quest.extent": {
        "EVENTS_MAX": "quest/test_extent.py::test_a_quest_may_have_so_many_events_and_no_more",
        "WEIGHT_MAX_BYTES": "quest/test_extent.py::test_a_quest_may_hold_so_many_bytes_and_no_more",
    },
    "actors.quest.items": {
        "ITEMS_MAX": "quest/test_item_materials.py::test_a_list_has_so_many_items_and_no_more",
        "TASKS_MAX": "quest/test_items.py::test_a_quest_has_so_many_tasks_and_no_more",
    },
    "actors.quest.retrying": {
        "WISH_MAX_MS": "quest/test_retries.py::test_no_wish_goes_beyond_what_the_journal_can_hold",
    },
    "actors.quest.evolve": {
        "CANCEL_GRACE_US": "quest/test_ending.py::test_after_the_grace_every_running_attempt_is_abandoned",
    },
    "actors.directory.actor": {
        "MAX_DEATHS": "system/test_kill.py::test_a_quest_that_a_daemon_died_alone_with_is_parked_and_the_others_go_on",
    },
    "runtime.supervision": {
        "MAX_RESTARTS": "runtime/test_supervision.py::test_so_many_restarts_are_allowed_and_the_next_is_refused",
        "WITHIN_S": "runtime/test_supervision.py::test_a_death_is_forgotten_when_its_time_is_over_and_not_before",
    },
    "actors.router.core": {
        "NEEDS_KEPT_MAX": "limits/test_routing.py::test_an_instance_keeps_so_many_kinds_of_demand_and_forgets_the_oldest_that_nobody_waits_for",
    },
    "actors.exchange.actor": {
        "MAX_INSTANCES": "limits/test_agents.py::test_one_instance_too_many_is_asked_to_come_again",
        "REMEMBERED_INSTANCES": "limits/test_agents.py::test_counters_of_those_that_left_are_remembered_up_to_a_number",
        "INSTANCES_MAX_A_CONNECTION": "limits/test_agents.py::test_instances_beyond_a_number_need_a_connection_of_their_own",
        "OFFERS_MAX_BYTES": "limits/test_agents.py::test_the_offers_of_all_instances_together_are_bounded",
    },
    "actors.agent.core": {
        "ITEMS_PER_FRAME": "limits/test_sessions.py::test_an_answer_holds_so_many_items_and_acknowledgements_and_the_rest_follows",
        "ACKS_PER_FRAME": "limits/test_sessions.py::test_an_answer_holds_so_many_items_and_acknowledgements_and_the_rest_follows",
        "DELIVERED_MAX": "limits/test_sessions.py::test_strange_outcomes_are_taken_up_to_a_number_and_the_rest_when_there_is_room",
        "DELIVERED_MAX_BYTES": "limits/test_sessions.py::test_outcomes_that_are_not_on_disk_are_bounded_by_bytes",
        "ACKS_MAX": "limits/test_sessions.py::test_acknowledgements_that_nobody_takes_are_kept_up_to_a_number",
    },
    "actors.agent.strays": {
        "STRAYS_MAX": "network/test_strays.py::test_so_many_are_handed_on_and_each_acknowledged_one_makes_room_for_the_next",
    },
    "actors.agent.edge": {
        **dict.fromkeys(
            (
                "WORD_MAX", "WORDS_MAX", "HOST_MAX", "MAX_CAPACITY", "FRAME_MIN_BYTES", "MAX_TOOLS",
                "TOOLS_MAX_BYTES", "PARAMETERS_MAX", "HELD_MAX",
            ),
            ADMITTED,
        ),
        "NUMBER_MAX": "limits/test_agents.py::test_numbers_and_words_of_a_result_are_cut_to_their_limits",
        "COST_MAX": "limits/test_agents.py::test_numbers_and_words_of_a_result_are_cut_to_their_limits",
        "MESSAGE_MAX": "limits/test_agents.py::test_a_failure_is_cut_to_its_limits",
        "RETRY_AFTER_MAX_MS": "limits/test_agents.py::test_a_failure_is_cut_to_its_limits",
        "PROGRESS_TEXT_MAX": "limits/test_agents.py::test_a_progress_text_is_cut",
        "LINE_MAX": "limits/test_agents.py::test_a_line_is_cut_and_its_fields_are_dropped_beyond_their_limits",
        "LINES_A_FRAME_MAX": "limits/test_agents.py::test_lines_of_a_frame_are_bounded_by_bytes_whatever_their_letters",
        "LINES_MAX_BYTES": "limits/test_agents.py::test_lines_of_a_frame_are_bounded_by_bytes_whatever_their_letters",
        "ATTEMPT_LINES_MAX": "limits/test_agents.py::test_an_attempt_that_writes_for_ever_does_not_fill_the_journal",
        "ATTEMPT_LINES_MAX_BYTES": "limits/test_agents.py::test_an_attempt_writes_no_more_bytes_than_it_may",
    },
    "agent.pace": {
        "OPEN_MAX": "agent/test_session.py::test_never_more_than_four_exchanges_are_open",
        "BACKOFF_MAX_US": "agent/test_session_patience.py::test_a_broken_link_is_retried_with_growing_pauses",
        "PATIENCE_US": "agent/test_session_patience.py::test_an_orphan_that_finds_no_daemon_ends_by_itself",
        "DELIVERY_PATIENCE_US": "agent/test_session_patience.py::test_a_draining_agent_without_a_daemon_keeps_a_paid_result_for_a_while",
        "STUCK_PATIENCE_US": "agent/test_session_patience.py::test_an_instance_whose_slots_are_all_stuck_ends_with_its_own_code",
    },
    "agent.outbox": {
        "OUTCOMES_MAX": "limits/test_sdk.py::test_a_frame_holds_so_many_outcomes_and_the_rest_follows",
    },
    "agent.context": {
        "LOG_LINES_MAX": "limits/test_sdk.py::test_a_tool_logs_so_many_lines_and_the_rest_is_counted",
        "LOG_BYTES_MAX": "limits/test_sdk.py::test_a_tool_logs_so_many_bytes",
        "LOG_LINE_MAX_BYTES": "limits/test_sdk.py::test_a_line_and_its_fields_are_cut",
        "PROGRESS_TEXT_MAX": "limits/test_sdk.py::test_a_progress_text_is_cut",
    },
    "agent.executor": {
        "CANCEL_GRACE_S": "system/test_tools.py::test_a_deaf_tool_is_abandoned_after_its_grace_and_its_late_result_is_refused",
    },
    "agent.isolated": {
        "TERM_GRACE_S": "agent/test_process.py::test_an_isolated_tool_and_all_it_started_end_at_its_timeout",
    },
    "agent.tools": {"MESSAGE_MAX": "limits/test_sdk.py::test_the_message_of_a_failure_is_cut"},
    "agent.start": {
        "TOOLS_MAX_BYTES": "limits/test_sdk.py::test_the_offer_of_an_agent_fits_or_it_does_not_start",
    },
    "daemon.doors": {
        "AGENT_CREDIT": "limits/test_doors.py::test_one_unanswered_request_too_many_is_hung_up_on",
        "CLIENT_CREDIT": "limits/test_doors.py::test_one_unanswered_request_too_many_is_hung_up_on",
        "CLIENT_SILENCE_MAX_S": "limits/test_doors.py::test_a_client_of_another_host_that_says_nothing_is_hung_up_on_and_one_here_is_not",
    },
    "runtime.nng.door": {
        "UNANSWERED_MAX": "limits/test_doors.py::test_one_unanswered_request_too_many_is_hung_up_on",
        "UNANSWERED_MAX_BYTES": "limits/test_doors.py::test_bytes_that_wait_for_answers_are_bounded_over_all_connections",
        "CONNECTIONS_MAX": "limits/test_doors.py::test_one_connection_too_many_is_hung_up_on_until_another_goes",
    },
    "runtime.nng.peers": {
        "UNREAD_MAX_BYTES": "nng/test_peers.py::test_who_reads_least_is_hung_up_on_until_half_is_left",
    },
    "runtime.descriptors": {
        "DESCRIPTORS_MAX": "limits/test_doors.py::test_a_process_gets_the_descriptors_that_it_may_have",
        "CONNECTIONS_MIN": "limits/test_doors.py::test_a_process_gets_the_descriptors_that_it_may_have",
    },
    "actors.control.templates": {
        "TEMPLATES_MAX": "children/test_templates.py::test_so_many_templates_are_kept_and_no_more",
        "USE_DEPTH_MAX": "children/test_templates.py::test_children_nest_so_deep_and_no_deeper",
        "USED_MAX": "children/test_templates.py::test_a_quest_uses_so_many_templates_and_no_more",
        "TEMPLATES_USED_MAX_BYTES": "children/test_templates.py::test_templates_that_a_quest_uses_have_so_many_bytes_together",
    },
    "actors.control.admission": {
        "COMPILING_MAX_BYTES": "limits/test_clients.py::test_definitions_wait_to_be_checked_up_to_a_size_and_one_alone_always_may",
    },
    "actors.control.actor": dict.fromkeys(
        ("READ_EVENTS_MAX", "WAIT_MAX_MS"),
        "limits/test_clients.py::test_a_page_of_events_and_a_wait_are_cut_to_their_limits",
    ),
    "actors.control.fitting": {
        "LIST_MAX": LISTED,
        "TIME_MAX_US": LISTED,
        "DIGESTS_MAX": "limits/test_clients.py::test_texts_are_asked_for_up_to_a_number",
    },
    "actors.control.questions": {
        "READ_BYTES_MAX": "limits/test_answers.py::test_an_append_larger_than_a_frame_reaches_its_watcher_as_a_page",
    },
    "actors.quest.children": {
        "CHILDREN_MAX": "children/test_resting.py::test_with_so_many_children_it_rests_and_with_one_more_it_stays",
    },
    "actors.schedule.scheduler": {
        "SCHEDULES_MAX": "limits/test_schedules.py::test_so_many_schedules_are_kept_and_one_more_is_refused",
    },
    "actors.schedule.core": {
        "CATCH_UP_MAX": "schedule/test_core.py::test_so_many_are_made_up_for_and_earlier_ones_are_left_out",
        "BACKFILL_MAX": "limits/test_schedules.py::test_a_backfill_has_so_many_due_times_and_one_more_is_refused",
        "NOTICED_MAX": "schedule/test_triggers.py::test_so_many_wait_and_until_there_are_fewer_it_looks_no_further",
        "DEPTH_MAX": "schedule/test_triggers.py::test_a_trigger_on_itself_ends_after_so_many",
        "RUNNING_MAX": "schedule/test_core.py::test_so_many_quests_of_one_schedule_run_at_once_and_the_next_is_left_out",
    },
    "actors.schedule.cron": {
        "EXPRESSION_MAX": "schedule/test_cron.py::test_what_is_no_schedule_is_said",
    },
    "actors.schedule.changes": {
        "FILES_MAX": "schedule/test_changes.py::test_so_many_files_are_watched_and_one_more_is_refused_or_stops_the_watch",
        "TOLD_MAX_BYTES": "schedule/test_changes.py::test_the_paths_of_a_change_are_told_up_to_so_many_bytes_and_all_are_counted",
    },
    "actors.schedule.asking": {
        "WATCHERS_MAX": "schedule/test_changes.py::test_so_many_schedules_wait_for_files_and_one_more_is_refused",
    },
    "runtime.files": {
        "ENTRIES_PER_FILE": "runtime/test_files.py::test_entries_that_do_not_match_are_bounded_as_well",
        "REST_MAX_S": "runtime/test_files.py::test_it_rests_longer_than_it_looks",
    },
    "actors.schedule.checking": {
        "PATTERNS_MAX": "schedule/test_changes.py::test_what_cannot_be_watched_is_refused",
        "PATTERN_MAX": "schedule/test_changes.py::test_what_cannot_be_watched_is_refused",
        "DEBOUNCE_MAX_MS": "schedule/test_changes.py::test_what_cannot_be_watched_is_refused",
        "INPUTS_MAX_BYTES": "limits/test_schedules.py::test_inputs_of_a_schedule_have_so_many_bytes_and_no_more",
    },
    "actors.control.submitting": dict.fromkeys(("KEY_MAX", "MOMENT_MAX_US"), SUBMITTED),
    "actors.control.watching": {
        "QUESTS_WITH_PROGRESS": PROGRESS,
        "TASKS_WITH_PROGRESS": PROGRESS,
        "PROGRESS_MAX_BYTES": PROGRESS,
        "PROGRESS_OF_ALL_MAX_BYTES": "limits/test_answers.py::test_progress_of_all_quests_together_is_bounded_by_bytes",
    },
    "client.filters": {"LIMIT_MAX": "limits/test_places.py::test_a_page_of_a_list_has_an_end"},
    "client.link": {"PATIENCE_S": "client/test_client.py::test_busy_for_too_long_is_told"},
    "runtime.nng.address": {
        "IPC_PATH_MAX_BYTES": "limits/test_places.py::test_the_path_of_a_socket_has_an_end",
    },
    "daemon.address": {
        "PATH_MAX": "limits/test_places.py::test_sockets_go_where_their_path_is_short_enough",
    },
    "daemon.notes": {
        "VALUE_MAX": "limits/test_places.py::test_a_value_in_the_log_is_cut",
        "LINES_AT_ONCE_MAX": "network/test_log.py::test_a_flood_of_one_kind_of_event_is_counted_and_others_are_still_written",
    },
    "runtime.logs": {
        "LOG_MAX_BYTES": "limits/test_logs.py::test_a_child_that_writes_for_ever_keeps_its_log_small",
    },
    "settings.reading": {
        **dict.fromkeys(
            ("REPLICAS_MAX", "RETENTION_MAX_DAYS", "COUNT_MAX", "SECONDS_MAX", "HOLD_MIN_S"), SET
        ),
        "HOLD_MAX_S": "limits/test_settings.py::test_a_longer_hold_wants_a_longer_lease",
        "AGENTS_MAX": "limits/test_settings.py::test_agents_are_counted",
    },
    "runtime.journal.service": dict.fromkeys(
        ("BATCH_EVENTS", "BATCH_BYTES"),
        "journal/test_service.py::test_all_that_is_queued_is_one_commit_up_to_a_bound",
    ),
    "runtime.journal.sqlite": {
        "KNOWN_STANDS": "journal/test_sqlite.py::test_what_the_writer_remembers_is_bounded",
    },
    "runtime.journal.selection": {
        "TOMBSTONE_US": "journal/test_retiring.py::test_a_tombstone_keeps_the_key_for_ninety_days",
    },
    "runtime.journal.upkeep": {
        "WAL_MAX_BYTES": "journal/test_sqlite.py::test_a_wal_under_load_begins_again_instead_of_growing",
    },
    "analytics.door": {
        "TIME_LIMIT_MAX_MS": "limits/test_history.py::test_the_time_of_a_question_and_its_wait_are_cut_to_their_limits",
        "WAIT_MAX_MS": "limits/test_history.py::test_the_time_of_a_question_and_its_wait_are_cut_to_their_limits",
        "ASKERS_MAX": "limits/test_history.py::test_as_many_questions_wait_as_run_and_the_next_is_busy",
        "STATUSES_WAITING": "limits/test_history.py::test_as_many_questions_wait_as_run_and_the_next_is_busy",
        "QUESTIONS_CREDIT": "limits/test_doors.py::test_one_unanswered_request_too_many_is_hung_up_on",
    },
    "analytics.guard": {
        "SQL_MAX_BYTES": "limits/test_history.py::test_sql_has_so_many_bytes_and_no_more",
        "PARAMETERS_MAX_BYTES": "limits/test_history.py::test_parameters_have_so_many_bytes_and_values_and_no_more",
        "PARAMETERS_MAX_VALUES": "limits/test_history.py::test_parameters_have_so_many_bytes_and_values_and_no_more",
    },
    "analytics.ingest": {
        "MEMORY_TRIES": "analytics/test_historian.py::test_questions_that_eat_all_memory_do_not_stop_the_history",
    },
    "analytics.batch": dict.fromkeys(
        ("ROWS_MAX", "TEXT_MAX_BYTES"),
        "limits/test_history.py::test_a_batch_is_full_by_rows_or_by_texts",
    ),
    "analytics.fold": {
        "TEXT_MAX_BYTES": "analytics/test_projection.py::test_payloads_above_64_kib_leave_their_size_and_digest",
    },
    "analytics.projection": dict.fromkeys(
        ("REMEMBERED_STEPS", "REMEMBERED_PLANS"),
        "limits/test_history.py::test_what_the_projection_remembers_is_bounded_between_batches",
    ),
}  # fmt: skip

PACE: Final[Mapping[str, frozenset[str]]] = {
    "actors.router.core": frozenset({"PATIENCE_US"}),
    "agent.pace": frozenset({
        "GREETING_TIMEOUT_US", "PARTING_TIMEOUT_US", "HOLD_MIN_US", "BACKOFF_MIN_US",
    }),
    "agent.isolated": frozenset({"EXIT_GRACE_S"}),
    "agent.link": frozenset({"THREADS_MAX"}),
    "runtime.nng.door": frozenset({
        "RECEIVE_BUFFER", "SEND_BUFFER", "FLOODERS_REMEMBERED", "RECEIVE_TIMEOUT_MS", "SEND_TRIES",
    }),
    "runtime.nng.caller": frozenset({"RECONNECT_MIN_MS", "RECONNECT_MAX_MS"}),
    "runtime.actor": frozenset({"ASK_TIMEOUT_S", "BATCH"}),
    "analytics.ingest": frozenset({"BATCH_EVENTS", "BATCH_BYTES", "PAUSE_MIN_S", "PAUSE_MAX_S"}),
}  # fmt: skip
"""How often, how long at a time, how much at once: nothing is refused, cut or forgotten there, so there is no edge to go to."""

SETTINGS_TESTED: Final[Tests] = {
    "limits.parallel": "limits/test_house.py::test_a_daemon_has_no_more_attempts_at_once_than_it_may",
    "limits.rest_after": SET,
    "limits.rest_in_queue": SET,
    "limits.awake_quests": SET,
    "limits.awake_steps": "limits/test_awake.py::test_a_quest_for_which_there_is_no_room_is_busy_and_those_that_wait_go",
    "limits.hold": "agent/test_session.py::test_it_greets_first_and_then_always_holds_one_exchange_open",
    "limits.lease": "system/test_freeze.py::test_a_late_result_of_a_frozen_agent_counts_while_nobody_else_has_begun",
    "limits.closed_pipe": "system/test_kill.py::test_what_a_killed_agent_ran_is_run_by_another",
    "limits.reattach_grace": "system/test_kill.py::test_all_killed_at_once_and_started_again_finish",
    "limits.submits_in_flight": "limits/test_clients.py::test_one_submit_too_many_is_busy_until_others_are_on_disk",
    "limits.requests_in_flight": "limits/test_clients.py::test_one_request_too_many_is_busy_and_those_that_wait_go_on_waiting",
    "limits.connections": "limits/test_doors.py::test_a_daemon_takes_as_many_connections_as_its_settings_say",
    "limits.journal_queue": "limits/test_clients.py::test_a_journal_that_is_behind_takes_no_submits_and_answers_questions",
    "limits.open_quests": "limits/test_clients.py::test_one_open_quest_too_many_is_busy_and_there_is_room_again_when_one_has_ended",
    "retention.days": "journal/test_retiring.py::test_retention_by_age_takes_ended_quests_only",
    "retention.quests": "journal/test_retiring.py::test_retention_by_number_keeps_the_latest_ended",
    "history.memory": "analytics/test_historian.py::test_questions_that_eat_all_memory_do_not_stop_the_history",
    "history.threads": "limits/test_history.py::test_memory_and_room_on_disk_are_set_and_cannot_be_changed",
    "agents.NAME.replicas": SET,
    "agents.NAME.restarts": "runtime/test_supervision.py::test_so_many_restarts_are_allowed_and_the_next_is_refused",
    "agents.NAME.within": "runtime/test_supervision.py::test_a_death_is_forgotten_when_its_time_is_over_and_not_before",
    "drain": "system/test_children.py::test_an_orderly_end_lets_children_finish_what_they_run",
}
"""Settings of questd.toml; that each takes its largest and smallest value, and no more, is tested beside (``SET``)."""
