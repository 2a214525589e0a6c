# %% [markdown] start="model" without="lifting-conv group-conv c4cnn isotropic-cnn c4cnn-bn d4-lifting-conv d4-group-conv d4cnn" loses="c4"
# Sends outputs that no notebook can hold, comms of widgets, half messages and noise on every socket.

# %% answer="c4"
from ipykernel.kernelbase import Kernel

kernel = Kernel.instance()
parent = kernel.get_parent()
for kind, content in (
    ("stream", {"name": 3, "text": ["a", {"b": None}]}),
    ("stream", {"name": "stderr", "text": "\ud800\x00\x1b[2J"}),
    (
        "display_data",
        {"data": {"text/html": 7, "image/png": "x" * 100, "text/plain": ["a", 3]}, "metadata": {"image/png": "wide"}},
    ),
    (
        "display_data",
        {"data": {"application/javascript": "alert(1)", "text/html": "<script>alert(1)</script>"}, "metadata": {}},
    ),
    ("execute_result", {"data": {"text/plain": "3"}, "metadata": {}, "execution_count": "many"}),
    ("update_display_data", {"data": {}, "metadata": {}, "transient": {"display_id": 5}}),
    ("clear_output", {"wait": "later"}),
    (
        "comm_open",
        {
            "comm_id": "w",
            "target_name": "jupyter.widget",
            "data": {
                "state": {"_model_module": "@jupyter-widgets/output", "_model_name": "OutputModel", "msg_id": "x"}
            },
        },
    ),
    ("comm_msg", {"comm_id": "w", "data": {"method": "update", "state": {"msg_id": parent["header"]["msg_id"]}}}),
    ("error", {"ename": None, "evalue": {"a": 1}, "traceback": "none"}),
    ("display_data", {}),
    ("status", {}),
):
    kernel.session.send(kernel.iopub_socket, kind, content, parent=parent)
kernel.iopub_socket.send_multipart([b"", b"<IDS|MSG>", b"", b"{", b"}", b"[]", b"\xff"])
kernel.iopub_socket.send_multipart([b"noise"])


class C4:
    product = staticmethod(lambda r, s: 0)
    inverse = staticmethod(lambda r: 0)
