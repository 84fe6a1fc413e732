# How GPAW is built: serial, with libxc and OpenBLAS.  Without mpi = False a build on a machine that has an MPI
# compiler can end in `cannot find -lmpi`.
mpi = False
compiler = "g++"
libraries = ["xc", "openblas"]
fftw = False
scalapack = False
