#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/open_store.py - a file of `mip` (attribution.h5, edit.h5, a trace) in Python: with h5py as
arrays, with xarray as named ones. Read it as an example, or run it to see what is in a file.

What    1  h5py: every dataset with its type, shape, and the names of its dimensions
        2  xarray: every group as a Dataset, with its coordinates
        3  of attribution.h5: the path of the first sample, and the neurons of a layer that are on
           most paths, in three lines of xarray
        Exit 1 if a dimension of a dataset has no name in h5py or in xarray.
Usage   python scripts/open_store.py runs/demo/attribution.h5
Needs   pip install h5py xarray h5netcdf"""

import argparse
import sys

import h5py
import xarray


def show_with_h5py(path):
    """Prints every dataset; returns the names of those with a nameless dimension."""
    nameless = []

    def show(name, item):
        if not isinstance(item, h5py.Dataset) or item.is_scale:
            return  # groups; a dimension scale is seen as the name of a dimension
        names = [d.label or (d[0].name if len(d) else "") for d in item.dims]
        shape = ", ".join(f"{n or '?'} {size}" for n, size in zip(names, item.shape))
        print(f"  /{name:28} {str(item.dtype):8} [{shape}]  {item.attrs.get('long_name', '')}")
        if "" in names:
            nameless.append(name)

    with h5py.File(path) as file:
        for key, value in file.attrs.items():
            print(f"  {key} = {str(value).splitlines()[0]}")
        file.visititems(show)
    return nameless


def show_with_xarray(tree):
    """Prints every group; returns the names of variables with a dimension xarray had to invent."""
    nameless = []
    for node in tree.subtree:
        if node.data_vars:
            print(f"group {node.path}\n{node.to_dataset()}\n")
        for name, variable in node.data_vars.items():
            if any(str(d).startswith("phony_dim") for d in variable.dims):
                nameless.append(f"{node.path}/{name}")
    return nameless


def show_paths(tree):
    """What the scores are for: paths, with the true derivative as log_scale and score."""
    text = tree["text"].to_dataset()
    scored = text.isel(sample=text.done.values == 1)
    first = scored.isel(sample=0)
    print(f"path of {tree['sample/id'].values[int(first.sample)]}, best neuron first")
    for layer in first.layer.values:
        here = first.sel(layer=layer)
        print(f"  layer {layer}: {here.path.values}  log scale {float(here.log_scale):.2f}")
    layer = int(scored.layer[-1])
    seen = scored.path.sel(layer=layer).stack(each=("sample", "rank")).to_series().value_counts()
    print(f"on most paths of layer {layer}: {seen.head(5).to_dict()} of {scored.sizes['sample']} samples")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("file", help="attribution.h5, edit.h5, or what mip trace wrote")
    path = arguments.parse_args().file
    print(f"h5py: {path}")
    nameless = show_with_h5py(path)
    print("\nxarray")
    with xarray.open_datatree(path, engine="h5netcdf", phony_dims="sort") as tree:
        nameless += show_with_xarray(tree)
        if "text" in tree.children and "path" in tree["text"].data_vars:
            show_paths(tree)
    if nameless:
        sys.exit(f"without names of all dimensions: {', '.join(nameless)}")


if __name__ == "__main__":
    main()
