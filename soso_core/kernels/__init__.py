"""Numba functions: arrays in, arrays out.

The same physics has up to three paths, because their loops differ: fits need the derivatives of many columns at once,
dynamics the energy and gradients of one column as fast as possible, Monte Carlo the change of the energy with one spin.
The tests compare each path with a slow, readable twin or with the exact path.

    quantity              exact/                vector/              monte_carlo/           tests/reference/
    radial functions      radial                near (polynomials)   -                      pair_descriptor
    Legendre polynomials  legendre              pair_density         (exact.legendre)       pair_descriptor
    harmonics             spherical             harmonics            -                      three_body
    channels              channels, one file for all paths                                  three_body
    pair descriptor d     pair_density          pair_density         environments           pair_descriptor
    three-body p          three_body            three_body           environments           three_body
    derivatives           jacobian, rows        (adjoints)           -                      finite differences
    covariance            NumPy (gp.model)      covariance           (vector.covariance)    covariance
    pair part             NumPy (gp.model)      pairs                sweeps                 monte_carlo
    GP part               NumPy (gp.model)      many_body            environments           exact path
    neighbours            -                     verlet, near         -                      exact path
    proposals             -                     -                    proposals              monte_carlo

An object and its kernels carry the same stem: `compiled/three_body.py` and `kernels/vector/three_body.py`.
"""
