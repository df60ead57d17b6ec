# What cpack makes: Debian packages (cpack -G DEB) and a tarball that may be unpacked anywhere (cpack -G TGZ). README.md beside this file
# tells how. What can be known only when cpack runs is in debian/at_cpack.cmake.in; what is done to the staged files in debian/staged.cmake.
set(SCOUT_PACKAGE_MAINTAINER "libscout packagers <libscout@example.org>" CACHE STRING "Maintainer of the Debian packages: NAME <ADDRESS>")
set(CPACK_PACKAGE_NAME libscout)
set(CPACK_PACKAGE_VENDOR "libscout")
set(CPACK_PACKAGE_CONTACT "${SCOUT_PACKAGE_MAINTAINER}")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_FILE_NAME libscout-${PROJECT_VERSION}-${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_GENERATOR TGZ)
set(CPACK_STRIP_FILES TRUE)
set(CPACK_VERBATIM_VARIABLES TRUE)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PROJECT_CONFIG_FILE ${PROJECT_BINARY_DIR}/debian/at_cpack.cmake)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_SOURCE_DIR}/debian/staged.cmake)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SOURCE libscout)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION TRUE)
set(debian_components "")
set(debian_binaries "")  # component=file, whose needs dpkg-shlibdeps reads

# debian_package(COMPONENT PACKAGE DESCRIPTION text [ALL] [SECTION s] [DEPENDS d] [RECOMMENDS r] [SUGGESTS s] [PROVIDES p] [CONTROL file...] [BINARY target])
# DESCRIPTION is the one-line synopsis, then the paragraph below it.
macro(debian_package component package)
  cmake_parse_arguments(ARG "ALL" "SECTION;DEPENDS;RECOMMENDS;SUGGESTS;PROVIDES;BINARY;DESCRIPTION" "CONTROL" ${ARGN})
  string(TOUPPER ${component} upper)
  list(APPEND debian_components ${component})
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${package})
  set(CPACK_DEBIAN_${upper}_DESCRIPTION "${ARG_DESCRIPTION}")
  foreach(field SECTION DEPENDS RECOMMENDS SUGGESTS PROVIDES)
    if(ARG_${field})
      set(CPACK_DEBIAN_${upper}_PACKAGE_${field} "${ARG_${field}}")
    endif()
  endforeach()
  if(ARG_ALL)
    set(CPACK_DEBIAN_${upper}_PACKAGE_ARCHITECTURE all)
  endif()
  if(ARG_CONTROL)
    set(CPACK_DEBIAN_${upper}_PACKAGE_CONTROL_EXTRA "${ARG_CONTROL}")
  endif()
  if(ARG_BINARY)
    list(APPEND debian_binaries "${upper}=$<TARGET_FILE:${ARG_BINARY}>")
  endif()
endmacro()

# Before 1.0 a minor version may change the ABI: what is linked with 0.1 wants 0.1.
math(EXPR next_minor "${PROJECT_VERSION_MINOR} + 1")
set(this_version "${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}")
set(library_range "libscout0 (>= ${PROJECT_VERSION}), libscout0 (<< ${PROJECT_VERSION_MAJOR}.${next_minor}~)")
set(about "libscout runs Llama 4 Scout, a mixture-of-experts language model, inside a\nprogram's own process, behind a small C interface: no server, no callbacks,\nno environment.\n\n")
set(control ${PROJECT_BINARY_DIR}/debian)

debian_package(library libscout0 BINARY scout SECTION libs RECOMMENDS "libscout-data, libscout-media" SUGGESTS "libscout-video, libscout-onednn" CONTROL ${control}/shlibs ${control}/symbols ${control}/triggers
  DESCRIPTION "Llama 4 language models in a program's own process\n${about}This package holds the shared library and the folder for its plug-ins.")
debian_package(development libscout-dev SECTION libdevel DEPENDS "libscout0 (= ${this_version}), libc6-dev" RECOMMENDS "libscout-data" SUGGESTS "pkgconf, cmake"
  DESCRIPTION "Llama 4 language models in a program's own process - development\n${about}This package holds the header, the archive, the descriptions for pkg-config and\nCMake, the interface files for SWIG and the description of the ABI as JSON.")
if(TARGET scout_plugin_media)
  debian_package(media libscout-media BINARY scout_plugin_media SECTION libs DEPENDS "${library_range}"
    DESCRIPTION "Llama 4 language models in a program's own process - pictures\n${about}This package holds the plug-in with which libscout reads PNG, JPEG and WebP.")
endif()
if(TARGET scout_plugin_video)
  debian_package(video libscout-video BINARY scout_plugin_video SECTION libs DEPENDS "${library_range}"
    DESCRIPTION "Llama 4 language models in a program's own process - video\n${about}This package holds the plug-in with which libscout reads MP4, QuickTime, Matroska\nand WebM through FFmpeg. A program that uses it combines with Debian's FFmpeg,\nwhich is under the GPL.")
endif()
if(TARGET scout_plugin_onednn)
  debian_package(products libscout-onednn BINARY scout_plugin_onednn SECTION libs DEPENDS "${library_range}"
    DESCRIPTION "Llama 4 language models in a program's own process - oneDNN\n${about}This package holds the plug-in that multiplies float weights by many rows\nthrough oneDNN, where a program asks for fast numerics.")
endif()
debian_package(models libscout-data ALL SECTION science
  DESCRIPTION "Llama 4 language models in a program's own process - small model\n${about}This package holds scout-tiny, a Llama 4 of a few million parameters that tells\nshort stories: to link against, to test with and to look at.")
if(TARGET scout_program)
  debian_package(program scout-tools BINARY scout_program SECTION science DEPENDS "${library_range}" RECOMMENDS "libscout-data"
    DESCRIPTION "Llama 4 language models from the command line\n${about}This package holds the scout program, which answers prompts, chats, inspects\nmodel files and measures their speed.")
endif()
if(TARGET python_native)
  debian_package(python python3-scout BINARY python_native SECTION python DEPENDS "python3 (>= 3.9), ${library_range}" RECOMMENDS "libscout-data" SUGGESTS "python3-numpy"
    CONTROL ${CMAKE_CURRENT_SOURCE_DIR}/debian/python/postinst ${CMAKE_CURRENT_SOURCE_DIR}/debian/python/prerm
    DESCRIPTION "Llama 4 language models in a program's own process - Python 3\n${about}This package holds the Python package scout.")
endif()
if(TARGET java_package)
  debian_package(java libscout-java ALL SECTION java DEPENDS "libscout-jni (>= ${PROJECT_VERSION})" RECOMMENDS "libscout-data"
    DESCRIPTION "Llama 4 language models in a program's own process - Java\n${about}This package holds the jar of the Java package scout.")
  debian_package(jni libscout-jni BINARY java_native SECTION java DEPENDS "${library_range}"
    DESCRIPTION "Llama 4 language models in a program's own process - JNI library\n${about}This package holds the native half of the Java package scout.")
endif()
if(TARGET csharp_package)
  debian_package(csharp libscout${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}-cil BINARY csharp_native SECTION cli-mono DEPENDS "${library_range}" RECOMMENDS "libscout-data"
    SUGGESTS "mono-runtime"
    DESCRIPTION "Llama 4 language models in a program's own process - .NET\n${about}This package holds the assembly Scout.dll and its native half.")
endif()
debian_package(go golang-libscout-scout-dev ALL SECTION golang DEPENDS "libscout-dev (>= ${PROJECT_VERSION})" RECOMMENDS "golang-go (>= 2:1.23~)"
  DESCRIPTION "Llama 4 language models in a program's own process - Go\n${about}This package holds the source of the Go package libscout/scout.")
set(rust_features "librust-CRATE-${PROJECT_VERSION_MAJOR}-dev (= ${this_version}), librust-CRATE-${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}-dev (= ${this_version}), librust-CRATE-${PROJECT_VERSION}-dev (= ${this_version}), librust-CRATE+default-dev (= ${this_version})")
string(REPLACE CRATE scout-sys rust_sys_provides "${rust_features}")
string(REPLACE CRATE scout rust_provides "${rust_features}")
debian_package(rust_sys librust-scout-sys-dev ALL SECTION rust DEPENDS "libscout-dev (>= ${PROJECT_VERSION}), pkgconf | pkg-config" PROVIDES "${rust_sys_provides}"
  DESCRIPTION "Llama 4 language models in a program's own process - Rust, C interface\n${about}This package holds the source of the Rust crate scout-sys.")
debian_package(rust librust-scout-dev ALL SECTION rust DEPENDS "librust-scout-sys-dev (>= ${PROJECT_VERSION})" RECOMMENDS "libscout-data" PROVIDES "${rust_provides}"
  DESCRIPTION "Llama 4 language models in a program's own process - Rust\n${about}This package holds the source of the Rust crate scout.")

configure_file(debian/changelog.in ${control}/changelog @ONLY)
configure_file(debian/at_cpack.cmake.in ${control}/at_cpack.cmake.part @ONLY)
file(GENERATE OUTPUT ${control}/at_cpack.cmake INPUT ${control}/at_cpack.cmake.part)
include(CPack)
