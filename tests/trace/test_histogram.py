"""Latency histograms: exact sums, known error, merging in any order."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from player.trace.histogram import COUNTERS, LAST_US, Histogram, bucket, upper_edge

VALUES = st.integers(min_value=0, max_value=1 << 34)


def _of(values: list[int]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    return histogram


@given(st.integers(min_value=0, max_value=LAST_US))
def test_a_bucket_holds_its_value_within_one_part_in_64(value: int) -> None:
    edge = upper_edge(bucket(value))
    assert value <= edge <= value + value // 64


def test_buckets_follow_one_another_without_a_gap() -> None:
    assert upper_edge(COUNTERS - 1) == LAST_US
    for index in range(COUNTERS - 1):
        assert bucket(upper_edge(index)) == index
        assert bucket(upper_edge(index) + 1) == index + 1


@pytest.mark.rule("storm:L12")
@given(st.lists(st.lists(VALUES | st.integers(-5, -1), max_size=20), max_size=5), st.integers(0, 99))
def test_merged_shards_equal_the_histogram_of_all_samples_in_any_order(shards: list[list[int]], shuffle: int) -> None:
    whole = _of([value for shard in shards for value in shard])
    order = list(shards)
    random.Random(shuffle).shuffle(order)
    merged = Histogram()
    for shard in order:
        merged.merge(_of(shard))
    assert merged == whole
    assert Histogram.from_snapshot(merged.snapshot()) == whole


@given(st.lists(VALUES, min_size=1, max_size=50), st.floats(0, 100))
def test_a_percentile_is_the_upper_edge_of_the_bucket_that_reaches_it(values: list[int], percent: float) -> None:
    histogram = _of(values)
    got = histogram.percentile(percent)
    assert got is not None
    assert got <= max(values)
    assert sum(value <= got for value in values) >= percent / 100 * len(values) - 1e-6


def test_early_values_are_counted_apart_and_an_empty_histogram_has_no_percentile() -> None:
    histogram = _of([-3, -1])
    assert (histogram.early, histogram.count, histogram.percentile(50)) == (2, 0, None)


def test_values_beyond_the_range_keep_count_sum_and_maximum() -> None:
    histogram = _of([1 << 40])
    assert (histogram.count, histogram.sum, histogram.max) == (1, 1 << 40, 1 << 40)
    assert histogram.percentile(100) == 1 << 40


def test_a_snapshot_that_does_not_add_up_is_refused() -> None:
    snapshot = _of([1, 2]).snapshot()
    with pytest.raises(ValueError, match="add up"):
        Histogram.from_snapshot(type(snapshot)(counters={1: 5}, count=2, sum=3, min=1, max=2, early=0))
    with pytest.raises(ValueError, match="1727"):
        Histogram.from_snapshot(type(snapshot)(counters={1728: 1}, count=1, sum=3, min=1, max=2, early=0))
