"""The energy of environments for changes of one spin at a time: densities are stored, and updated when a spin changes.

A spin belongs to the environments of its neighbours and to its own.  Its term in the densities of the neighbours
changes; its own densities are summed again.  Nothing else is computed.  Every centre has two slots, rows 2 i and
2 i + 1 of all state arrays: one holds the current state, the other the proposed state.
"""

from typing import NamedTuple

from soso_core.arrays import BoolArray, FloatArray, IntArray
from soso_core.kernels._jit import inlined_jit, inner_jit, jit
from soso_core.kernels.channels import channel_value
from soso_core.kernels.exact.legendre import legendre_values
from soso_core.kernels.monte_carlo.proposals import Direction
from soso_core.kernels.vector.covariance import Covariances, CovarianceWork, block_energies, covariance_of
from soso_core.kernels.vector.many_body import BLOCK, Models
from soso_core.kernels.vector.simd import get, item, load, store
from soso_core.kernels.vector.three_body import ThreeBody, products


class LatticeTable(NamedTuple):
    """The neighbours on the lattice; pairs q of centre i are offsets_a[i]:offsets_a[i + 1], images summed.

    j_q, s_q neighbour and its species; shape_rn Σ_images h_n Y_y in row q n_y + y, n filled to a multiple of four;
    h_qn Σ_images h_n of the pair descriptor.  A change of spin j changes centres touched_k[first_a[j]:first_a[j + 1]],
    sorted by species, through pair through_k, or -1 for its own.
    """

    species_a: IntArray
    has_spin_a: BoolArray
    offsets_a: IntArray
    j_q: IntArray
    s_q: IntArray
    shape_rn: FloatArray
    h_qn: FloatArray
    first_a: IntArray
    touched_k: IntArray
    through_k: IntArray


class ReplicaState(NamedTuple):
    """State of a replica: densities a_wyx and d_wf, energies e_w (eV), the current slot of each centre now_a."""

    a_wyx: FloatArray
    d_wf: FloatArray
    e_w: FloatArray
    now_a: IntArray


class Scratch(NamedTuple):
    """Work arrays: descriptors x_bf and energies of a block, its centres, products p_rx, P_λ, shifts of channels."""

    x_bf: FloatArray
    energy_b: FloatArray
    centre_b: IntArray
    p_rx: FloatArray
    new_l: FloatArray
    old_l: FloatArray
    shift_t: FloatArray
    covariance: CovarianceWork


class Environments(NamedTuple):
    """The environments of one lattice with the state of one replica."""

    lattice: LatticeTable
    models: Models
    covariances: Covariances
    state: ReplicaState
    work: Scratch


@inner_jit
def write_legendre(u: float, both: bool, out_l: FloatArray) -> None:
    """Write P_λ(u), zero for λ > 0 unless both atoms carry a spin."""
    legendre_values(u, out_l)
    if not both:
        out_l[1:] = 0.0


@inner_jit
def add_channels(u: float, both: bool, spin: Direction, kinds_t: IntArray, sign: float, out_t: FloatArray) -> None:
    """Add sign·c_t of a neighbour with this spin to out_t."""
    weight = 1.0 if both else 0.0
    for t in range(len(kinds_t)):
        value, _ = channel_value(kinds_t[t], 1.0, u, weight, spin[0], spin[1], spin[2])
        out_t[t] += sign * value


@inner_jit
def add_shape(q: int, lattice: LatticeTable, model: ThreeBody, shift_t: FloatArray, a_yx: FloatArray) -> None:
    """Add shift_t times the shape of pair q to the densities of its centre."""
    n_y = len(model.harmonics.a_lm) ** 2
    first = lattice.s_q[q] * len(shift_t) * model.n_pad
    for y in range(n_y):
        for n in range(0, model.n_pad, 4):
            shape = load(lattice.shape_rn, q * n_y + y, n)
            for t in range(len(shift_t)):
                if shift_t[t] != 0.0:
                    x = first + t * model.n_pad + n
                    store(a_yx, y, x, load(a_yx, y, x) + shape * shift_t[t])


@inner_jit
def add_density(q: int, lattice: LatticeTable, shift_l: FloatArray, coupling_l: FloatArray, d_f: FloatArray) -> None:
    """Add A_λ shift_l times the radial functions of pair q to the pair descriptor of its centre."""
    n_max, n_l = lattice.h_qn.shape[1], len(coupling_l)
    for n in range(n_max):
        f = (lattice.s_q[q] * n_max + n) * n_l
        for m in range(n_l):
            d_f[f + m] += lattice.h_qn[q, n] * coupling_l[m] * shift_l[m]


@inlined_jit
def fill(
    i: int, spin: Direction, spins_ac: FloatArray, around: Environments, a_yx: FloatArray, d_f: FloatArray
) -> None:
    """Write the densities of centre i, its spin being `spin`, summed over all neighbours."""
    lattice, models, work = around.lattice, around.models, around.work
    central_n, coupling_l = models.density.central_n, models.density.coupling_l
    a_yx[:] = 0.0
    d_f[:] = 0.0
    if models.has_density:
        for n in range(len(central_n)):
            d_f[(lattice.species_a[i] * len(central_n) + n) * len(coupling_l)] = central_n[n]
    for q in range(lattice.offsets_a[i], lattice.offsets_a[i + 1]):
        j = lattice.j_q[q]
        other = (spins_ac[j, 0], spins_ac[j, 1], spins_ac[j, 2])
        if j == i:
            other = spin
        u = spin[0] * other[0] + spin[1] * other[1] + spin[2] * other[2]
        both = lattice.has_spin_a[i] and lattice.has_spin_a[j]
        if models.has_density:
            write_legendre(u, both, work.new_l)
            add_density(q, lattice, work.new_l, coupling_l, d_f)
        if models.has_three_body:
            work.shift_t[:] = 0.0
            add_channels(u, both, other, models.three_body.kinds_t, 1.0, work.shift_t)
            add_shape(q, lattice, models.three_body, work.shift_t, a_yx)


@inlined_jit
def shift(i: int, q: int, old: Direction, new: Direction, spins_ac: FloatArray, around: Environments) -> None:
    """Write the densities of centre i into its proposed slot, with its neighbour rotated from old to new."""
    lattice, models, state, work = around.lattice, around.models, around.state, around.work
    here, there = 2 * i + state.now_a[i], 2 * i + 1 - state.now_a[i]
    both = lattice.has_spin_a[i]
    x, y, z = spins_ac[i, 0], spins_ac[i, 1], spins_ac[i, 2]
    u_old, u_new = x * old[0] + y * old[1] + z * old[2], x * new[0] + y * new[1] + z * new[2]
    if models.has_density:
        write_legendre(u_new, both, work.new_l)
        write_legendre(u_old, both, work.old_l)
        for m in range(len(work.new_l)):
            work.new_l[m] -= work.old_l[m]
        d_f, before_f = state.d_wf[there], state.d_wf[here]
        for f in range(len(d_f)):
            d_f[f] = before_f[f]
        add_density(q, lattice, work.new_l, models.density.coupling_l, d_f)
    if models.has_three_body:
        work.shift_t[:] = 0.0
        add_channels(u_new, both, new, models.three_body.kinds_t, 1.0, work.shift_t)
        add_channels(u_old, both, old, models.three_body.kinds_t, -1.0, work.shift_t)
        a_yx, before_yx = state.a_wyx[there], state.a_wyx[here]
        for m in range(a_yx.shape[0]):
            for c in range(0, a_yx.shape[1], 4):
                store(a_yx, m, c, load(before_yx, m, c))
        add_shape(q, lattice, models.three_body, work.shift_t, a_yx)


@inlined_jit
def describe(w: int, around: Environments, x_f: FloatArray) -> None:
    """Write the raw descriptor of slot w."""
    state, p_rx, n_density = around.state, around.work.p_rx, 0
    if around.models.has_density:
        d_f = state.d_wf[w]
        n_density = len(d_f)
        for f in range(n_density):
            x_f[f] = d_f[f]
    if around.models.has_three_body:
        three = around.models.three_body
        products(three, state.a_wyx[w], p_rx)
        p_f = x_f[n_density:]
        for f in range(len(three.row_f)):
            p_f[f] = get(p_rx, item(three.row_f, f), item(three.column_f, f)) * item(three.scale_f, f)


@jit
def energy_change(j: int, new: Direction, spins_ac: FloatArray, around: Environments) -> float:
    """Return the change of the energy of all environments, eV, for spin j = `new`; write their proposed slots."""
    lattice, state, work = around.lattice, around.state, around.work
    old = (spins_ac[j, 0], spins_ac[j, 1], spins_ac[j, 2])
    total, n = 0.0, 0
    last = lattice.first_a[j + 1] - 1
    for k in range(lattice.first_a[j], last + 1):
        i, q = lattice.touched_k[k], lattice.through_k[k]
        there = 2 * i + 1 - state.now_a[i]
        if q < 0:
            fill(i, new, spins_ac, around, state.a_wyx[there], state.d_wf[there])
        else:
            shift(i, q, old, new, spins_ac, around)
        describe(there, around, work.x_bf[n])
        work.centre_b[n] = i
        n += 1
        s = lattice.species_a[i]
        if n == BLOCK or k == last or lattice.species_a[lattice.touched_k[k + 1]] != s:
            block_energies(covariance_of(around.covariances, s), work.x_bf, work.covariance, n, work.energy_b)
            total += note(n, state, work)
            n = 0
    return total


@inner_jit
def note(n: int, state: ReplicaState, work: Scratch) -> float:
    """Write the energies of a block into the proposed slots of its centres; return the change."""
    total = 0.0
    for b in range(n):
        i = work.centre_b[b]
        state.e_w[2 * i + 1 - state.now_a[i]] = work.energy_b[b]
        total += work.energy_b[b] - state.e_w[2 * i + state.now_a[i]]
    return total


@inner_jit
def accept(j: int, lattice: LatticeTable, state: ReplicaState) -> None:
    """Make the proposed slots of all centres that spin j changes the current ones."""
    for k in range(lattice.first_a[j], lattice.first_a[j + 1]):
        i = lattice.touched_k[k]
        state.now_a[i] = 1 - state.now_a[i]


@jit
def start_environments(spins_ac: FloatArray, around: Environments) -> float:
    """Write the densities and energies of all centres into the current slots; return the sum of the energies, eV."""
    state, work, total = around.state, around.work, 0.0
    for i in range(len(spins_ac)):
        w, spin = 2 * i + state.now_a[i], (spins_ac[i, 0], spins_ac[i, 1], spins_ac[i, 2])
        fill(i, spin, spins_ac, around, state.a_wyx[w], state.d_wf[w])
        describe(w, around, work.x_bf[0])
        covariance = covariance_of(around.covariances, around.lattice.species_a[i])
        block_energies(covariance, work.x_bf, work.covariance, 1, work.energy_b)
        state.e_w[w] = work.energy_b[0]
        total += work.energy_b[0]
    return total
