using System;
using System.Collections.Generic;

namespace Scout
{
    /// <summary>What one layer is.</summary>
    public struct LayerInfo
    {
        internal LayerInfo(bool moe, bool rope, bool chunked)
        {
            Moe = moe;
            Rope = rope;
            Chunked = chunked;
        }

        /// <summary>Experts, else dense.</summary>
        public bool Moe { get; }

        /// <summary>Rotated, else position-free.</summary>
        public bool Rope { get; }

        /// <summary>Attends inside its chunk, else to everything.</summary>
        public bool Chunked { get; }
    }

    /// <summary>The native library: its version, and what a model can run on here.</summary>
    public static class ScoutLibrary
    {
        /// <summary>The library's version as "major.minor.patch".</summary>
        public static unsafe string Version => Utf8.Text((byte*)Native.scoutcs_version());

        /// <summary>One line about the build, for bug reports.</summary>
        public static unsafe string BuildInfo => Utf8.Text((byte*)Native.scoutcs_build_info());

        /// <summary>The library's words for a status.</summary>
        public static unsafe string Describe(ScoutStatus status) => Utf8.Text((byte*)Native.scoutcs_status_text((int)status));

        /// <summary>What a model can run on here, the default first.</summary>
        public static IReadOnlyList<DeviceInfo> Devices
        {
            get
            {
                ulong count;
                IntPtr message;
                Failure.Check(Native.scoutcs_device_count(out count, out message), message);
                var devices = new DeviceInfo[count];
                for (int i = 0; i < devices.Length; i++) devices[i] = GetDevice(i);
                return devices;
            }
        }

        /// <summary>Describes a device; 0 is the default one.</summary>
        public static unsafe DeviceInfo GetDevice(int index)
        {
            var info = default(scout_device_info);
            info.struct_size = (uint)sizeof(scout_device_info);
            IntPtr message;
            Failure.Check(Native.scoutcs_device_get((ulong)(long)index, ref info, out message), message);
            return new DeviceInfo(&info);
        }
    }
}
