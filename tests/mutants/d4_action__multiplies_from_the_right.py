# %% [markdown] mistake="moves the group axis by the right product, h g^-1, instead of the left one, g^-1 h"

# %% answer="d4-action"
def transform_p4m(y: torch.Tensor, g: tuple[int, int]) -> torch.Tensor:
    def times(a, b):
        return (a[0] + b[0]) % 2, (a[1] + (-b[1] if a[0] else b[1])) % 4

    f, r = g
    g_inverse = (1, r) if f else (0, -r % 4)
    source = []
    for h in [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2), (1, 3)]:
        came_from = times(h, g_inverse)
        source.append(4 * came_from[0] + came_from[1])
    pixels = rotate(reflect(y) if f == 1 else y, r)
    return pixels[..., source, :, :]
