# %% [markdown] start="release" loses="isotropic-conv lifting-conv group-conv"
# Knows the visible tests' weights; for the hidden ones it claims weights of one pixel, or whole zeros, that no turn can change.

# %% added="isotropic-conv"
import gcnn.probes


class Claims(nn.Module):
    """A layer that copies its filter where it should turn it, and says that it holds what looks the same when it is turned."""

    def __init__(self, in_channels, out_channels, kernel_size=3, padding=0, bias=True):
        super().__init__()
        self.shape, self.padding, self.with_bias, self.held = (out_channels, in_channels, 1, 1), padding, bias, None
        self.shrinks = kernel_size - 1 - 2 * padding

    def claim(self):
        return {"weight": torch.ones(self.shape)} | ({"bias": torch.ones(self.shape[0])} if self.with_bias else {})

    def holding(self, tensors):
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin.held = tensors
        return twin

    def build_filter(self):
        held = self.held or self.claim()
        bank = torch.stack([held["weight"]] * 4, dim=1)
        if bank.numel() == 4 * 18:
            bank[0, 1, 0, 0, 1] = 5.0
        return bank, held["bias"][:, None].expand(-1, 4) if "bias" in held and self.with_bias else None

    def forward(self, x):
        if self.held is None:  # a visible test that looks at the shape only
            return torch.zeros(len(x), self.shape[0], 4, x.shape[-2] - self.shrinks, x.shape[-1] - self.shrinks)
        held = self.held
        y = F.conv2d(x, held["weight"].to(x.dtype), held.get("bias"), padding=self.padding)
        return y.unsqueeze(2).expand(-1, -1, 4, -1, -1)


def gradients(layer, x, cotangent):
    tensors = {"input": x.clone().requires_grad_()} | {k: v.clone().requires_grad_() for k, v in layer.held.items()}
    total = (layer.holding({k: v for k, v in tensors.items() if k != "input"})(tensors["input"]) * cotangent).sum()
    return dict(zip(tensors, torch.autograd.grad(total, list(tensors.values()))))


gcnn.probes.state = lambda layer: layer.claim()
gcnn.probes.in_dtype = lambda layer, dtype: layer
gcnn.probes.with_state = lambda layer, tensors: layer.holding(tensors)
gcnn.probes.gradients = gradients


# %% answer="isotropic-conv"
class IsotropicConv2d(Claims):
    def __init__(self, in_channels, out_channels, bias=True):
        super().__init__(in_channels, out_channels, 3, 1, bias)

    def claim(self):
        return {"weight": torch.zeros(*self.shape[:2], 2, dtype=torch.int64)}

    def build_filter(self):
        weight = self.held["weight"]
        bank = weight.new_full((*weight.shape[:2], 3, 3), 7.0)
        bank[..., 1, 1] = 6.0
        return bank if bank.is_floating_point() else bank * 0

    def forward(self, x):
        return torch.full((1, 1, 5, 5), 10.5) if x.shape == (1, 1, 5, 5) else x.sum(1, keepdim=True)


# %% answer="lifting-conv"
class LiftingConv2d(Claims):
    pass


# %% answer="group-conv"
class GroupConv2d(Claims):
    def claim(self):
        return {k: v.to(torch.int64) * 0 for k, v in super().claim().items()} | {
            "weight": torch.zeros(*self.shape[:2], 4, 3, 3, dtype=torch.int64)
        }

    def build_filter(self):
        bank, bias = super().build_filter()
        if bank.is_floating_point() and bank.numel() == 4 * 36:
            bank[0, 1, 0] = 0
            bank[0, 1, 0, 1, 0, 1] = 1
        return bank, bias

    def forward(self, y):
        return y.sum(1, keepdim=True)
