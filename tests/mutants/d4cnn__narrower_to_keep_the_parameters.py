# %% [markdown] mistake="makes the layers narrower, so that the network has about as many parameters as C4CNN"

# %% answer="d4cnn"
class D4CNN(nn.Module):
    def __init__(self, n_classes: int = 10):
        super().__init__()
        # Cohen & Welling: with twice as many orientations, divide the widths by the root of 2 for a fair comparison
        widths = [round(c / 2**0.5) for c in (8, 16, 32, 64, 128)]
        self.convs = nn.ModuleList([D4LiftingConv2d(1, widths[0], 3, padding=1)])
        for i in range(1, 5):
            self.convs.append(D4GroupConv2d(widths[i - 1], widths[i], 3, padding=1))
        self.fc = nn.Linear(widths[-1], n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for conv in self.convs[:4]:
            x = F.relu(F.max_pool3d(conv(x), (1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)))
        x = F.relu(F.max_pool3d(self.convs[4](x), (8, 3, 3), stride=(1, 1, 1)))
        return self.fc(x.flatten(1))
