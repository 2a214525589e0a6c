# %% [markdown] mistake="turns the pixels first and mirrors them then"

# %% answer="d4-action"
def transform_p4m(y: torch.Tensor, g: tuple[int, int]) -> torch.Tensor:
    f, r = g
    out = torch.zeros_like(y)
    for a in range(2):
        for b in range(4):
            a2, b2 = D4.product(g, (a, b))
            piece = rotate(y[..., 4 * a + b, :, :], r)
            if f:
                piece = reflect(piece)
            out[..., 4 * a2 + b2, :, :] = piece
    return out
