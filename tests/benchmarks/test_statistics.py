import pytest

from benchmarks.statistics import growth, lags_s, median, most_at_once, percentile, steady_rate


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert percentile(values, 0.5) == 3.0
    assert percentile(values, 0.99) == 5.0
    assert percentile(values, 0.0) == 1.0
    assert percentile(values, 1.0) == 5.0


def test_p99_of_a_thousand_leaves_ten_above_it() -> None:
    values = [float(n) for n in range(1, 1_001)]
    assert percentile(values, 0.99) == 990.0


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_outside_of_0_to_1_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="0 to 1"):
        percentile([1.0], share)


def test_nothing_has_no_percentile_and_no_median() -> None:
    with pytest.raises(ValueError, match="at least one"):
        percentile([], 0.5)
    with pytest.raises(ValueError, match="at least one"):
        median([])


def test_a_median_of_two_lies_between_them() -> None:
    assert median([1.0, 2.0]) == 1.5
    assert median([9.0, 1.0, 2.0]) == 2.0


def test_the_steady_rate_leaves_out_a_slow_begin_and_end() -> None:
    slow, quick = 1_000_000, 1_000
    times = [n * slow for n in range(20)]
    times += [times[-1] + (n + 1) * quick for n in range(60)]
    times += [times[-1] + (n + 1) * slow for n in range(20)]
    assert steady_rate(times) == pytest.approx(1_000.0, rel=0.02)


@pytest.mark.parametrize("times", [[], [1], [7, 7, 7, 7, 7, 7, 7, 7, 7, 7]])
def test_a_rate_of_too_little_is_none(times: list[int]) -> None:
    assert steady_rate(times) == 0.0


def test_growth_compares_the_last_window_with_the_first() -> None:
    first = [n * 10 for n in range(11)]
    last = [first[-1] + (n + 1) * 20 for n in range(10)]
    assert growth([*first, *last], 10) == 2.0


def test_growth_refuses_windows_that_overlap() -> None:
    with pytest.raises(ValueError, match="two windows of 10"):
        growth(list(range(20)), 10)


def test_a_lag_is_the_age_of_the_oldest_event_that_is_missing() -> None:
    at_us = [1_000_000, 2_000_000, 3_000_000]
    samples = [(3_500_000, 10), (3_500_000, 11), (3_500_000, 12), (2_500_000, 11)]
    assert lags_s(samples, at_us, first_seq=11) == [2.5, 1.5, 0.5, 0.5]


def test_who_has_everything_is_not_behind() -> None:
    assert lags_s([(9_000_000, 13), (9_000_000, 99)], [1, 2, 3], first_seq=11) == [0.0, 0.0]


def test_an_event_that_was_yet_to_come_is_not_missed() -> None:
    assert lags_s([(1_500_000, 11)], [1_000_000, 2_000_000], first_seq=11) == [0.0]


def test_the_fullest_moment_counts_those_that_are_under_way() -> None:
    assert most_at_once([0, 1, 2, 10], [3, 4, 11, 12]) == 3
    assert most_at_once([0, 5], [5, 9]) == 1
    assert most_at_once([], []) == 0
