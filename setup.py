"""Build entry; tool settings live in pyproject.toml, versions and their reasons in requirements/."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent


def requirements(name: str) -> list[str]:
    lines = (HERE / 'requirements' / f'{name}.txt').read_text(encoding='utf-8').splitlines()
    lines = [line.split('#')[0].strip() for line in lines]
    return [line for line in lines if line and not line.startswith('-')]


setup(
    name='spikemm',
    version=re.search(r"__version__ = '(.+)'", (HERE / 'spikemm/__init__.py').read_text(encoding='utf-8')).group(1),
    description='Multi-task vision toolbox for spiking neural networks, in the way of OpenMMLab.',
    long_description=(HERE / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.11,<3.13',
    packages=find_packages(include=['spikemm*']),
    package_data={'spikemm.analysis': ['templates/*.j2']},
    install_requires=requirements('runtime'),
    extras_require={'tests': requirements('tests')},
)
