"""What a test cell may not do: things that work in a student's own kernel and not, or not safely, when judged.

`problems` reads a cell's code without running it. It follows values through assignments and loops: what comes from a
submission's name is the submission's, until another function has made something of its own from it.
"""

import ast

# These take a submission's object and give one back, or give back values.
GIVE_OBJECTS = {"with_state", "in_dtype", "train_mode", "retrained", "with_random_state", "on_stand_ins"}
GIVE_PAIRS = {"with_random_state", "on_stand_ins"}  # an object, and something plain that is the cell's own
HELPERS = GIVE_OBJECTS | {"predict", "gradients", "state", "parameter_count", "layer_order"}
ABOUT_OBJECTS = {"isinstance", "issubclass", "type", "id", "vars", "dir", "hasattr", "getattr", "callable", "bool"}
NEVER = {"setattr", "delattr", "exec", "eval", "compile", "globals", "locals", "__import__", "input", "get_ipython"}
SEEDS = {"manual_seed", "manual_seed_all", "seed", "set_rng_state", "fork_rng", "default_rng"}
DRAWS = {"rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial"}
FRESH = {"clone", "tolist", "item"}  # methods whose result shares nothing with the object

VALUE, OBJECT, SHARED = "value", "object", "shared"
HOLDERS = {OBJECT: "a container of objects", VALUE: "a container of values"}  # the cell's own containers
ELEMENTS = {holder: element for element, holder in HOLDERS.items()}


def problems(source: str, submission_names: frozenset[str] | set[str]) -> list[str]:
    """What is wrong with one test cell, each as "line 3: …"; an empty list if nothing is.

    Args:
        source: the cell's code, hidden part included.
        submission_names: the names that answer and training cells bind.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        return [f"line {error.lineno}: not Python: {error.msg}"]
    reader = _Reader(frozenset(submission_names), tree)
    reader.visit(tree)
    return [f"line {line}: {text}" for line, text in sorted(set(reader.found))]


class _Reader(ast.NodeVisitor):
    """Collects problems.

    Attributes:
        found: pairs of a line number and a text.
        origins: by name, whether it holds a submission's object, a value that came from one, or something shared with
            other cells; names that are missing hold the cell's own things.
    """

    def __init__(self, names: frozenset[str], tree: ast.AST):
        self.names, self.found = names, []
        self.origins = dict.fromkeys(names, OBJECT)
        bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        loaded = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        for name in loaded - bound - names:
            self.origins[name] = SHARED  # a given name: writing into it would change what the next cell sees

    def _note(self, node: ast.AST, text: str) -> None:
        self.found.append((node.lineno, text))

    # Where values come from

    def _origin(self, node: ast.AST | None) -> str | None:
        """What an expression's value is, or ``None`` for the cell's own."""
        match node:
            case ast.Name(id=name):
                return self.origins.get(name)
            case ast.Call(func=ast.Name(id=name)) if name in GIVE_OBJECTS:
                return OBJECT
            case ast.Call(func=ast.Name(id=name)) if name in HELPERS:
                return VALUE
            case ast.Call(func=ast.Name(id=name)) if name in self.names and name[:1].isupper():
                return OBJECT  # a class, called: an instance
            case ast.Call(func=ast.Attribute(attr=name)) if name in FRESH:
                return None
            case ast.Call(func=function):
                origin = self._origin(function)
                return origin if origin in ELEMENTS else VALUE if origin in (OBJECT, VALUE) else None
            case ast.Subscript(value=value):
                origin = self._origin(value)
                return VALUE if origin == OBJECT else ELEMENTS.get(origin, origin)
            case ast.Attribute(value=value) | ast.Starred(value=value):
                origin = self._origin(value)
                return VALUE if origin == OBJECT else origin
            case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Dict(values=parts):
                return HOLDERS.get(self._strongest(parts))
            case ast.ListComp(elt=part):
                return HOLDERS.get(self._origin(part))
            case ast.IfExp(body=first, orelse=second):
                return self._strongest([first, second])
        return None

    def _strongest(self, nodes: list[ast.expr]) -> str | None:
        origins = {self._origin(node) for node in nodes}
        return next((origin for origin in (OBJECT, VALUE) if origin in origins), None)

    def _bind(self, target: ast.AST, value: ast.AST | None, origin: str | None) -> None:
        """Note what a name holds from here on."""
        match target:
            case ast.Name(id=name):
                if name in self.names:
                    self._note(target, f"{name} is the submission's and cannot be bound anew")
                elif origin is None:
                    self.origins.pop(name, None)
                else:
                    self.origins[name] = origin
            case ast.Tuple(elts=targets) | ast.List(elts=targets):
                # `layer, values = with_random_state(…)`: the first is an object, the second holds the grader's numbers.
                made = isinstance(value, ast.Call) and getattr(value.func, "id", "") in GIVE_PAIRS
                parts = value.elts if isinstance(value, ast.Tuple) and len(value.elts) == len(targets) else None
                for i, part in enumerate(targets):
                    element = ELEMENTS.get(origin, origin)
                    own = None if made and i else self._origin(parts[i]) if parts else element
                    self._bind(part, parts[i] if parts else None, own)
            case ast.Starred(value=inner):
                self._bind(inner, value, origin)
            case ast.Subscript(value=inner) | ast.Attribute(value=inner):
                self._check_write(target, inner)

    def _check_write(self, node: ast.AST, owner: ast.AST) -> None:
        origin = self._origin(owner)
        if origin in (OBJECT, VALUE):
            self._note(node, "writes into something of the submission")
        elif origin == SHARED:
            self._note(node, "writes into something that other cells see")

    # Statements

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        for target in node.targets:
            self._bind(target, node.value, self._origin(node.value))

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.generic_visit(node)
        self._check_write(node, node.target)

    def visit_For(self, node: ast.For) -> None:
        self.visit(node.iter)
        origin = self._origin(node.iter)
        self._bind(node.target, None, ELEMENTS.get(origin, VALUE if origin == OBJECT else origin))
        for statement in [*node.body, *node.orelse]:
            self.visit(statement)

    def visit_Assert(self, node: ast.Assert) -> None:
        self.generic_visit(node)
        if node.msg is None:
            self._note(node, "an assert without a message tells nobody what is wrong")
        if isinstance(node.test, ast.Tuple):
            self._note(node, "an assert of a tuple always holds")

    def visit_Expr(self, node: ast.Expr) -> None:
        self.generic_visit(node)
        if isinstance(node.value, ast.Compare):
            self._note(node, "a comparison whose result nobody uses; assert is missing")

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self.generic_visit(node)
        if node.type is None or "BaseException" in {getattr(n, "id", "") for n in ast.walk(node.type)}:
            self._note(node, "would catch what the judge ends a test with")

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._check_import(node, alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            self._check_import(node, f"{node.module}.{alias.name}")

    def _check_import(self, node: ast.stmt, name: str) -> None:
        if name.startswith("gcnn.probes"):
            self._note(node, "imports the probes themselves; their names are there, and the judge has its own")

    # Expressions

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        origins = [self._origin(argument) for argument in [*node.args, *[keyword.value for keyword in node.keywords]]]
        of_submission = OBJECT in origins or VALUE in origins
        if isinstance(node.func, ast.Name):
            if name in NEVER:
                self._note(node, f"{name} has no place in a test")
            elif name in ABOUT_OBJECTS and of_submission:
                self._note(node, f"{name} of something of the submission: use the checks")
        elif name in ("deepcopy", "copy") and of_submission:
            self._note(node, "a submission's object cannot be copied; with_state gives a copy")
        if name == "deepcopy" and isinstance(node.func, ast.Name) and of_submission:
            self._note(node, "a submission's object cannot be copied; with_state gives a copy")
        if name == "backward":
            self._note(node, "backward() does not reach a submission; use gradients")
        own_generator = isinstance(node.func, ast.Attribute) and "Generator" in ast.dump(node.func.value)
        if name in SEEDS and not own_generator:
            self._note(node, f"{name} sets a seed; draw inputs from a named generator")
        keywords = {keyword.arg for keyword in node.keywords}
        if name in DRAWS and not {"generator", None} & keywords and self._origin(node.func) not in (OBJECT, VALUE):
            self._note(node, f"{name} without a generator draws other numbers each time")
        if isinstance(node.func, ast.Attribute) and name.endswith("_") and not name.endswith("__"):
            self._check_write(node, node.func.value)
        if OBJECT in origins and name not in HELPERS | ABOUT_OBJECTS and self._origin(node.func) != OBJECT:
            self._note(node, f"gives a submission's object to {name}; only helpers take one")
        for keyword in node.keywords:
            if keyword.arg == "out":
                self._check_write(node, keyword.value)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.generic_visit(node)
        if node.attr.startswith("__") and self._origin(node.value) in (OBJECT, VALUE):
            self._note(node, f"{node.attr} of something of the submission")
        if node.attr == "grad" and self._origin(node.value) in (OBJECT, VALUE):
            self._note(node, "grad is not there when judged; use gradients")
