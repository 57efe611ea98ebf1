"""Self-attention between the places of a feature map."""

from torch import Tensor, nn


class Attention(nn.Module):
    """(B, C, h, w) -> the same shape: each place asks all others; at first it changes nothing.

    So one hint can reach every window of a house. Sources: Vaswani et al. 2017,
    https://arxiv.org/abs/1706.03762; on feature maps Wang et al. 2018,
    https://arxiv.org/abs/1711.07971.
    """

    def __init__(self, channels: int, heads: int):
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.attend = nn.MultiheadAttention(channels, heads, batch_first=True)
        nn.init.zeros_(self.attend.out_proj.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C, h, w)."""
        tokens = self.norm(x.flatten(2).transpose(1, 2))  # (B, h * w, C)
        answers, _ = self.attend(tokens, tokens, tokens, need_weights=False)
        return x + answers.transpose(1, 2).reshape(x.shape)
