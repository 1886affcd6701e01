"""Agglomeration on a directed neighbour graph: finds clusters of any shape."""

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from trainer.starts.arrays import Labels

PASSES = 100  # of handing small clusters over to their neighbours


class Linkage:
    """Graph degree linkage (Zhang et al., 2012), down to one cluster.

    The affinity of clusters a and b sums, over the points of each, out-degree times in-degree to
    the other one, over the squared size; the two of highest affinity are merged, again and again,
    beginning with the chains of nearest neighbours.
    """

    def __init__(self, weights: csr_matrix, nearest: Labels) -> None:
        n = weights.shape[0]
        self._weights = weights
        chain = csr_matrix((np.ones(n), nearest, np.arange(n + 1)), (n, n))
        count, labels = connected_components(chain, directed=False)
        self._start: Labels = labels.astype(np.int64)
        self._merges = _Agglomeration(weights, self._start, count).run()

    def cut(self, k: int, min_size: int = 1) -> Labels | None:
        """Labels (n,) of the last cut that has k clusters of at least ``min_size``, or None.

        Points of smaller clusters go where most of their neighbours are.
        """
        sizes = np.bincount(self._start)
        large, last = int((sizes >= min_size).sum()), None
        for done, (kept, gone) in enumerate([(0, 0), *self._merges]):
            if done:
                large -= int(sizes[kept] >= min_size) + int(sizes[gone] >= min_size)
                sizes[kept], sizes[gone] = sizes[kept] + sizes[gone], 0
                large += int(sizes[kept] >= min_size)
            if large >= k:
                last = done
        return None if last is None else self._labels(last, k)

    def _labels(self, merges: int, k: int) -> Labels:
        clusters = np.arange(self._start.max() + 1)
        for kept, gone in self._merges[:merges]:
            clusters[clusters == gone] = kept
        labels = clusters[self._start]
        largest = np.sort(np.bincount(labels).argsort(kind="stable")[::-1][:k])
        renamed = np.full(len(clusters), -1)
        renamed[largest] = np.arange(k)
        return self._adopt(renamed[labels], k)

    def _adopt(self, labels: Labels, k: int) -> Labels:
        """Give each point labelled -1 the label that weighs most among its neighbours."""
        edges = (self._weights + self._weights.T).tocsr()
        for _ in range(PASSES):
            orphans = np.flatnonzero(labels < 0)
            if not len(orphans):
                break
            settled = np.flatnonzero(labels >= 0)
            members = csr_matrix(
                (np.ones(len(settled)), (settled, labels[settled])), (len(labels), k)
            )
            votes = (edges[orphans] @ members).toarray()
            heard = votes.max(1) > 0
            if not heard.any():
                break
            labels[orphans[heard]] = votes[heard].argmax(1)
        labels[labels < 0] = 0
        return labels


class _Agglomeration:
    """The state of a linkage under way: rows of degrees a cluster, and all affinities."""

    def __init__(self, weights: csr_matrix, labels: Labels, count: int) -> None:
        n = len(labels)
        members = csr_matrix((np.ones(n), (np.arange(n), labels)), (n, count))
        out_degrees = (weights @ members).T.tocsr()  # (count, n): from each point to a cluster
        in_degrees = (weights.T @ members).T.tocsr()
        self.labels = labels.copy()
        self.sizes = np.bincount(labels).astype(np.float64)
        self.out_degrees = [out_degrees[j] for j in range(count)]
        self.in_degrees = [in_degrees[j] for j in range(count)]
        # [a, b]: the sum over the points of a of their degrees to and from b
        self.products = (members.T @ out_degrees.multiply(in_degrees).T).toarray()
        share = self.products / self.sizes[:, None] ** 2
        self.affinity = share + share.T
        np.fill_diagonal(self.affinity, -1)
        self.alive = np.ones(count, bool)
        self.partner = self.affinity.argmax(1)
        self.highest = self.affinity.max(1)

    def run(self) -> list[tuple[int, int]]:
        """All merges in their order, (kept, gone)."""
        merges = []
        for _ in range(len(self.alive) - 1):
            one = int(np.where(self.alive, self.highest, -2).argmax())
            kept, gone = sorted((one, int(self.partner[one])))
            self._merge(kept, gone)
            merges.append((kept, gone))
        return merges

    def _merge(self, kept: int, gone: int) -> None:
        self.out_degrees[kept] = self.out_degrees[kept] + self.out_degrees[gone]
        self.in_degrees[kept] = self.in_degrees[kept] + self.in_degrees[gone]
        self.out_degrees[gone] = self.in_degrees[gone] = None
        self.labels[self.labels == gone] = kept
        self.sizes[kept] += self.sizes[gone]
        self.alive[gone] = False
        self.products[kept] += self.products[gone]
        both = self.out_degrees[kept].multiply(self.in_degrees[kept]).tocsr()
        self.products[:, kept] = np.bincount(self.labels[both.indices], both.data, len(self.alive))
        self._update_affinities(kept, gone)

    def _update_affinities(self, kept: int, gone: int) -> None:
        size = self.sizes
        row = self.products[kept] / size[kept] ** 2 + self.products[:, kept] / size**2
        row[~self.alive] = row[kept] = -1
        self.affinity[kept] = self.affinity[:, kept] = row
        self.affinity[gone] = self.affinity[:, gone] = -1
        self.partner[kept], self.highest[kept] = row.argmax(), row.max()
        risen = self.alive & (row > self.highest)
        self.partner[risen], self.highest[risen] = kept, row[risen]
        lost = np.flatnonzero(self.alive & np.isin(self.partner, (kept, gone)) & ~risen)
        self.partner[lost] = self.affinity[lost].argmax(1)
        self.highest[lost] = self.affinity[lost].max(1)
