"""SciPy over the same scores as ours, in the same minute; prints both as the table of docs/performance.md."""

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
print("| figure | ours | theirs | ratio | floor | goal |")
print("|---|---:|---:|---:|---:|---:|")
print(f"| one visit among 10,000 technicians, ranked | {ours['rank_ms']:.1f} ms | | | 20 ms | 2 ms |")
print(
    f"| one visit among 100,000 in the index, {ours['in_reach']} of them in reach, read and ranked "
    f"| {ours['indexed_ms']:.1f} ms | | | 30 ms | 5 ms |"
)
print(
    f"| 500 visits and 2,000 technicians, the best assignment, beside SciPy {scipy.__version__} "
    f"| {ours['assign_ms']:.1f} ms | {theirs:.1f} ms | {ours['assign_ms'] / theirs:.2f}× | 1.5× | 0.5× |"
)
