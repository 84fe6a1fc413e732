# Build GPAW serially, with libxc and OpenBLAS.  Without mpi = False the build fails with `cannot find -lmpi` on some
# machines that have an MPI compiler.
mpi = False
compiler = "g++"
libraries = ["xc", "openblas"]
fftw = False
scalapack = False
