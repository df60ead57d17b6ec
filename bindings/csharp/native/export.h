#ifndef SCOUTCS_EXPORT_H
#define SCOUTCS_EXPORT_H

#if defined(_WIN32)
#define SCOUTCS_API __declspec(dllexport)
#elif defined(__GNUC__)
#define SCOUTCS_API __attribute__((visibility("default")))
#else
#define SCOUTCS_API
#endif

#endif /* SCOUTCS_EXPORT_H */
