# %% [markdown] start="model"
# The network is one nn.Sequential from the image to the classes; the ReLU comes before the pool, which makes no
# difference, and the classifier is a convolution of one pixel.

# %% answer="c4cnn"
class C4CNN(nn.Sequential):
    def __init__(self, n_classes=10):
        pool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))
        body = [LiftingConv2d(1, 8, 3, 1), nn.ReLU(inplace=True), pool]
        for width in (8, 16, 32):
            body += [GroupConv2d(width, 2 * width, 3, 1), nn.ReLU(inplace=True), pool]
        body += [GroupConv2d(64, 128, 3, 1), nn.ReLU(inplace=True), nn.AdaptiveMaxPool3d(1)]
        super().__init__(*body, nn.Conv3d(128, n_classes, 1), nn.Flatten())
