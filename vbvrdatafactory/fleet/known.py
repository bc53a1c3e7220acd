"""What import packages, shared libraries and fonts are called by those who bring them: PyPI, Debian, Amazon Linux.

A module is installed for a generator that forgot to ask for it only if it stands here: a distribution of a module's
name may be anybody's.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

# Modules whose distribution has another name, and such of the same name as video and picture programs forget.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "av": "av",
    "bs4": "beautifulsoup4",
    "cairo": "pycairo",
    "cairosvg": "cairosvg",
    "chess": "chess",
    "cv2": "opencv-python-headless",
    "datasets": "datasets",
    "dateutil": "python-dateutil",
    "imageio": "imageio",
    "imageio_ffmpeg": "imageio-ffmpeg",
    "matplotlib": "matplotlib",
    "moviepy": "moviepy",
    "networkx": "networkx",
    "numpy": "numpy",
    "pandas": "pandas",
    "pydantic": "pydantic",
    "pymunk": "pymunk",
    "requests": "requests",
    "scipy": "scipy",
    "shapely": "shapely",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "sympy": "sympy",
    "tqdm": "tqdm",
    "trimesh": "trimesh",
    "yaml": "pyyaml",
}

_ALSO_BY = {
    "cv2": {"opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless"},
    "PIL": {"pillow-simd"},
}

# What a host brings and no environment of ours: a program with its own Python, or a graphics card.
OF_A_HOST = {
    "bpy": "Blender", "bmesh": "Blender", "mathutils": "Blender", "omni": "NVIDIA Omniverse", "cupy": "a GPU",
    "pycuda": "a GPU", "isaacgym": "NVIDIA Isaac Gym", "unreal": "Unreal Engine", "torch": "PyTorch",
    "tensorflow": "TensorFlow",
}  # fmt: skip


class Package(NamedTuple):
    """A package of the system: its name for apt, and for dnf and yum."""

    debian: str
    amazon: str


_LIBRARIES = {
    "libcairo": Package("libcairo2", "cairo"),
    "libGL": Package("libgl1", "mesa-libGL"),
    "libEGL": Package("libegl1", "mesa-libEGL"),
    "libGLU": Package("libglu1-mesa", "mesa-libGLU"),
    "libOSMesa": Package("libosmesa6", "mesa-libOSMesa"),
    "libglib-2.0": Package("libglib2.0-0", "glib2"),
    "libgthread-2.0": Package("libglib2.0-0", "glib2"),
    "libgomp": Package("libgomp1", "libgomp"),
    "libpango-1.0": Package("libpango-1.0-0", "pango"),
    "libfontconfig": Package("libfontconfig1", "fontconfig"),
    "libfreetype": Package("libfreetype6", "freetype"),
    "libSM": Package("libsm6", "libSM"),
    "libICE": Package("libice6", "libICE"),
    "libXext": Package("libxext6", "libXext"),
    "libXrender": Package("libxrender1", "libXrender"),
    "libX11": Package("libx11-6", "libX11"),
    "libxcb": Package("libxcb1", "libxcb"),
    "libsndfile": Package("libsndfile1", "libsndfile"),
}
# What these bring along is named by nobody else.
_BRINGS = {"libcairo": ("libfontconfig", "libfreetype", "libX11", "libXext", "libXrender", "libxcb")}
_FONTS = (
    (re.compile(r"dejavu", re.IGNORECASE), Package("fonts-dejavu-core", "dejavu-sans-fonts")),
    (
        re.compile(r"liberation|arial|helvetica", re.IGNORECASE),
        Package("fonts-liberation", "liberation-sans-fonts"),
    ),
    (re.compile(r"noto.*cjk", re.IGNORECASE), Package("fonts-noto-cjk", "google-noto-sans-cjk-fonts")),
    (re.compile(r"noto", re.IGNORECASE), Package("fonts-noto-core", "google-noto-sans-fonts")),
)
_NOT_FOUND = (
    re.compile(r"(lib[\w.+-]+?\.so(?:\.\d+)?)[\d.]*: cannot open shared object"),
    re.compile(r"no library called \"([\w.+-]+)\" was found"),
    re.compile(r"cannot load library '([\w.+-]+)'"),
)


def owners(module: str) -> frozenset[str]:
    """The distributions that are known to bring a module; none for one that is not known."""
    return (
        frozenset({DISTRIBUTIONS[module], *_ALSO_BY.get(module, ())})
        if module in DISTRIBUTIONS
        else frozenset()
    )


def libraries_not_found(text: str) -> tuple[str, ...]:
    """The shared libraries whose absence an exception tells of.

    >>> libraries_not_found("libGL.so.1: cannot open shared object file: No such file or directory")
    ('libGL.so.1',)
    >>> libraries_not_found('no library called "cairo-2" was found')
    ('libcairo.so.2',)
    """
    for pattern in _NOT_FOUND:
        if found := pattern.search(text):
            name = found[1]
            return (
                name if name.startswith("lib") else re.sub(r"^([\w+-]+?)(?:-(\d+))?$", _as_library, name),
            )
    return ()


def needed_libraries(loaded: Iterable[str]) -> tuple[str, ...]:
    """Of the libraries that a module loads from the system those that a package must be installed for.

    >>> needed_libraries(["libcairo.so.2.11600.0", "libpixman-1.so.0.42.2", "libm.so.6", "libX11.so.6.4.0"])
    ('libcairo.so.2',)
    """
    names = {match[0] for name in loaded if (match := re.match(r"lib[\w+.-]+?\.so(\.\d+)?", name))}
    known = {name for name in names if _stem(name) in _LIBRARIES}
    brought = {other for name in known for other in _BRINGS.get(_stem(name), ())}
    return tuple(sorted(name for name in known if _stem(name) not in brought))


def packages(libraries: Iterable[str], fonts: Iterable[str]) -> tuple[tuple[Package, ...], tuple[str, ...]]:
    """The packages that bring these libraries and fonts, and the libraries that nobody here knows a package of."""
    found: dict[Package, None] = {}
    unknown = []
    for name in libraries:
        if package := _LIBRARIES.get(_stem(name)):
            found[package] = None
        else:
            unknown.append(name)
    for name in fonts:
        for pattern, package in _FONTS:
            if pattern.search(name):
                found[package] = None
                break
    return tuple(sorted(found)), tuple(unknown)


def _stem(library: str) -> str:
    return library.partition(".so")[0]


def _as_library(found: "re.Match[str]") -> str:
    return f"lib{found[1]}.so" + (f".{found[2]}" if found[2] else "")
