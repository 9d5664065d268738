"""The package, its direct dependencies and the Python versions it runs on.

Exact versions of everything, with hashes, are in requirements.txt; ``make lock`` writes it from this file.
"""

from setuptools import find_packages, setup

setup(
    name="gluon-video-classification",
    version="0.1.0",
    description="Reproducible video classification on frame features with Apache MXNet Gluon",
    license="Apache-2.0",
    python_requires=">=3.10,<3.12",  # mxnet 1.9.1 needs numpy < 1.24, which has no wheel for 3.12
    packages=find_packages(include=["datasets*", "evaluation*", "experiments*", "gluon_models*"]),
    package_data={
        "datasets": ["youtube8m_class_counts.txt"],
        "experiments": ["weights.yaml", "omniboard/*"],
        "experiments.registry": ["*.yaml"],
    },
    install_requires=[
        "mxnet==1.9.1",
        "gluoncv==0.10.5.post0",
        "numpy==1.23.5",
        "h5py>=3.11",
        "decord==0.6.0",  # decodes raw video; its wheel has FFmpeg in it
        "google-crc32c",  # CRC-32C, which TFRecord files carry
        "sacred==0.8.7",  # run.py appends to Experiment.configurations, which the documentation does not promise
        "pymongo>=4.10",
        "opencv-python-headless==4.11.0.86",  # gluoncv asks for opencv-python, which needs libGL
        "setuptools<81",  # sacred imports pkg_resources
        "PyYAML",
        "matplotlib",  # figures of report.html; gluoncv brings it too
        "scipy",  # Student's t in verdicts; gluoncv brings it too
        "tqdm",
    ],
    extras_require={
        # ONNX: later versions do not import with the numpy that MXNet needs, which onnxruntime's metadata refuses.
        "export": ["onnx==1.14.1", "onnxruntime==1.16.3", "protobuf<4"],
        "cluster": ["distributed>=2025.1"],  # cells and shards over many machines, docs/cluster.md
        # MXNet's build for GPUs, in the place of the one for CPUs, and the libraries that it loads: `make setup GPU=1`.
        "gpu": [
            "mxnet-cu117==1.9.1",
            "nvidia-cublas-cu11==11.11.3.6",
            "nvidia-cuda-nvrtc-cu11==11.8.89",
            "nvidia-cuda-runtime-cu11==11.8.89",
            "nvidia-cudnn-cu11==8.9.6.50",  # the last of version 8
            "nvidia-cufft-cu11==10.9.0.58",
            "nvidia-curand-cu11==10.3.0.86",
            "nvidia-cusolver-cu11==11.4.1.48",
            "nvidia-cusparse-cu11==11.7.5.86",
            "nvidia-nccl-cu11==2.21.5",
            "nvidia-nvtx-cu11==11.8.86",
        ],
        "dev": ["mypy", "pytest", "ruff", "selenium", "types-PyYAML", "types-tqdm"],
    },
)
