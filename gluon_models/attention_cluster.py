"""Attention Cluster: a cluster of attention units a modality, then fully connected layers.

Long et al., CVPR 2018, arXiv 1711.09550; layers and initialisation as in PaddlePaddle/models release/1.8,
PaddleCV/video/models/attention_cluster.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import mxnet as mx
import numpy as np
from mxnet.gluon import nn

from gluon_models import zoo
from gluon_models.attention import Cluster
from gluon_models.dropout import Dropout, DropoutMode
from gluon_models.errors import ModelError
from gluon_models.initializers import msra_normal, msra_uniform
from gluon_models.video_dense import VideoDense
from gluon_models.video_model import VideoModel, check_sizes

_SMALL = {"feature_dims": {"rgb": 6, "audio": 3}, "num_classes": 5, "cluster_nums": [3, 2], "dropout": 0.5}


@zoo.register("attention_cluster")
class AttentionCluster(VideoModel):
    """Clusters of all modalities -> concat -> dropout -> FC tanh ... -> FC.

    Args:
        feature_dims: Modality -> width of its features; its order is the order of the inputs.
        num_classes: Number of classes.
        cluster_nums: Attention units: one number for every modality, a list in the order of `feature_dims`,
            or a mapping from modality.
        attention: "average", "fc1" or "fc2".
        shifting: Shift and normalise the output of every unit.
        hidden_units: Widths of the tanh layers before the classifier; [] for none.
        dropout: Share of the clusters' outputs dropped in training.
        dropout_mode: Which outputs are scaled: those kept in training, or all in evaluation; see `Dropout`.
        prefix: Gluon's name prefix.
        params: Gluon's shared parameters.

    Input: features, a list of (B, T, F_m); lengths (B,), (B, M) or None. Output: logits (B, num_classes).

    Raises:
        ModelError: `cluster_nums`, `attention` or the dropout does not fit.
    """

    examples: ClassVar[list[dict[str, Any]]] = [
        {**_SMALL, "attention": "fc1", "shifting": True, "hidden_units": [7, 8]},
        {**_SMALL, "attention": "fc1", "shifting": False, "hidden_units": []},
        {**_SMALL, "attention": "fc2", "shifting": True, "hidden_units": [], "dropout_mode": "downgrade_in_infer"},
        {**_SMALL, "attention": "average", "shifting": False, "hidden_units": [7]},
    ]

    def __init__(
        self,
        *,
        feature_dims: Mapping[str, int],
        num_classes: int,
        cluster_nums: int | Sequence[int] | Mapping[str, int],
        attention: str,
        shifting: bool,
        hidden_units: Sequence[int],
        dropout: float,
        dropout_mode: DropoutMode = "upscale_in_train",
        prefix: str | None = None,
        params: Any = None,
    ) -> None:
        super().__init__(list(feature_dims), prefix=prefix, params=params)
        units = _units_by_modality(cluster_nums, self.modalities)
        check_sizes(num_classes=num_classes, cluster_nums=units.values(), hidden_units=hidden_units)
        self.feature_dims = dict(feature_dims)
        with self.name_scope():
            self.clusters = [
                Cluster(attention, dim, units[modality], shifting) for modality, dim in feature_dims.items()
            ]
            for modality, cluster in zip(self.modalities, self.clusters, strict=True):
                self.register_child(cluster, f"cluster_{modality}")
            self.dropout = Dropout(dropout, dropout_mode)
            self.hidden = nn.HybridSequential()
            width = sum(units[modality] * dim for modality, dim in feature_dims.items())
            for size in hidden_units:
                self.hidden.add(
                    VideoDense(
                        size,
                        activation="tanh",
                        in_units=width,
                        weight_initializer=msra_normal(width),
                        bias_initializer=msra_uniform(size),
                    )
                )
                width = size
            self.classifier = VideoDense(
                num_classes,
                in_units=width,
                weight_initializer=msra_normal(width),
                bias_initializer=msra_normal(num_classes),
            )

    def hybrid_forward(self, F: Any, features: list[Any], lengths: Any = None) -> Any:
        """See the class."""
        outputs = [
            cluster(frames, self.lengths_of(F, index, frames, lengths))  # (B, N_m * F_m)
            for index, (cluster, frames) in enumerate(zip(self.clusters, features, strict=True))
        ]
        video = self.dropout(F.concat(*outputs, dim=1))  # (B, sum of N_m * F_m)
        return self.classifier(self.hidden(video))  # (B, C)

    def attention_weights(self, features: Sequence[mx.nd.NDArray], lengths: Any = None) -> list[mx.nd.NDArray]:
        """Returns how much every unit weighs every frame: (B, N_m, T) for each modality, 0 on the padding."""
        return [
            cluster.attention.hybrid_forward(mx.nd, frames, self.lengths_of(mx.nd, index, frames, lengths))
            for index, (cluster, frames) in enumerate(zip(self.clusters, features, strict=True))
        ]


def _units_by_modality(cluster_nums: int | Sequence[int] | Mapping[str, int], modalities: list[str]) -> dict[str, int]:
    if isinstance(cluster_nums, int | np.integer):
        return dict.fromkeys(modalities, int(cluster_nums))
    if isinstance(cluster_nums, Mapping):
        if set(cluster_nums) != set(modalities):
            raise ModelError(f"cluster_nums names {list(cluster_nums)}, but the modalities are {modalities}")
        return dict(cluster_nums)
    if len(cluster_nums) != len(modalities):
        raise ModelError(f"cluster_nums has {len(cluster_nums)} numbers for the modalities {modalities}")
    return dict(zip(modalities, cluster_nums, strict=True))
