"""SciPy over the same scores as ours, in the same minute; prints both as the table of docs/performance.md.

Ends with 1 when a figure is below its floor, or when SciPy finds another sum.
"""

import json
import sys
import time

import numpy
import scipy
from scipy.optimize import linear_sum_assignment

ROUNDS = 21

with open(sys.argv[1], encoding="utf-8") as file:
    scores = numpy.array(json.load(file), dtype=float)
with open(sys.argv[2], encoding="utf-8") as file:
    ours = json.load(file)
took = []
for _ in range(ROUNDS):
    since = time.perf_counter()
    rows, columns = linear_sum_assignment(scores, maximize=True)
    took.append((time.perf_counter() - since) * 1000)
if int(scores[rows, columns].sum()) != ours["assign_sum"]:
    sys.exit("SciPy found another sum")
theirs = sorted(took)[ROUNDS // 2]
ratio = ours["assign_ms"] / theirs
in_reach = f"one visit among 100,000 in the index, {ours['in_reach']} of them in reach, read and ranked"
assigned = f"500 visits and 2,000 technicians, the best assignment, beside SciPy {scipy.__version__}"
# What was measured, what it came to, the number that is judged and its unit, what it may come to at most, and what it should.
figures = [
    ("one visit among 10,000 technicians, ranked", "rank_ms", "|", ours["rank_ms"], " ms", 20, 2),
    (in_reach, "indexed_ms", "|", ours["indexed_ms"], " ms", 30, 5),
    (assigned, "assign_ms", f"{theirs:.1f} ms | {ratio:.2f}×", ratio, "×", 1.5, 0.5),
]
missed = 0
print("| figure | ours | theirs | ratio | floor | goal | verdict |")
print("|---|---:|---:|---:|---:|---:|---|")
for what, name, beside, judged, unit, floor, goal in figures:
    verdict = "goal" if judged <= goal else "floor" if judged <= floor else "**missed**"
    missed += judged > floor
    print(f"| {what} | {ours[name]:.1f} ms | {beside} | ≤ {floor}{unit} | ≤ {goal}{unit} | {verdict} |")
if missed:
    sys.exit(f"{missed} of {len(figures)} figures below their floor")
